"""The deployment of a pipeline on Google Cloud: one manifest, what it becomes, and whether that is what serves.

``reading`` reads the manifest, ``terraform`` renders it, ``rules``, ``grants``, ``alerting``, ``provider`` and
``messages`` check it offline, ``compare`` and ``services`` compare it with a recorded or live state. Nothing here
changes a project: Terraform does, by hand.
"""
