"""The deployment of a pipeline on Google Cloud, from one manifest.

``reading`` reads the manifest, ``terraform`` renders it, ``rules``, ``grants``, ``alerting``, ``provider`` and
``messages`` check it offline, ``compare`` and ``services`` compare it with a recorded or live state. Nothing here
changes a project: Terraform does, by hand.
"""
