"""What an operator may do: parsed, shown beforehand, carried out, recorded."""
