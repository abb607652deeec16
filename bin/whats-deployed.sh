#!/usr/bin/env bash
# Show which code serves, and whether it is the right one: `phasegate drift`, with what Cloud Run says of the services.
#
#   bin/whats-deployed.sh [SERVICE] [--diff] [--desired COMMIT] …
#
# MANIFEST names the services (deploy/gcp/manifest.toml). Project and region are those of gcloud's configuration. What
# gcloud cannot answer is left out, and said. Plan and state are found as by `phasegate`. Exit: as `phasegate drift`.
set -euo pipefail
manifest=${MANIFEST:-deploy/gcp/manifest.toml}
state=$(mktemp -d)
trap 'rm -rf "$state"' EXIT

if [[ $# -gt 0 && $1 != -* ]]; then
  services=$1
elif command -v gcloud >/dev/null; then
  services=$(gcloud run services list --format='value(metadata.name)' --quiet) || services=
else
  services=
fi
command -v gcloud >/dev/null || echo "whats-deployed: there is no gcloud here; traffic and revisions are not looked at" >&2

for service in $services; do
  command -v gcloud >/dev/null || break
  if ! gcloud run services describe "$service" --format=json --quiet >"$state/$service.json"; then
    rm -f "$state/$service.json"
    echo "whats-deployed: gcloud does not describe $service; its traffic is not looked at" >&2
    continue
  fi
  url=$(gcloud run services describe "$service" --format='value(status.url)' --quiet)
  if ! { token=$(gcloud auth print-identity-token --quiet) &&
    curl --silent --fail --max-time 20 --header "Authorization: Bearer $token" "$url/build" >"$state/$service.build.json"; }; then
    rm -f "$state/$service.build.json"
    echo "whats-deployed: $service does not answer at /build; documents and its newest revision say what it is" >&2
  fi
done

code=0
phasegate drift --manifest "$manifest" --state "$state" "$@" || code=$?
exit "$code"
