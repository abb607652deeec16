"""What is answered to a caller, by a command or over HTTP.

Each module asks the library's own services and makes one of the JSON types of ``phasegate.printed``, so that a command
with ``--json`` and the service cannot differ. Nothing is printed or sent from here.
"""
