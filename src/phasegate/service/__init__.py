"""Where decisions meet ports. One job title per file: gatekeeper, leases, writer, builder, worker, sweeper."""
