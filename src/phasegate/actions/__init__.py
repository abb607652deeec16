"""What an operator may do: parsed, shown before, carried out, recorded."""
