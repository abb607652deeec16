"""Sources that a user brings: a class, or a CSV file with a mapping.

`load` imports the class that `module:Class` names, `checked` makes a whole `Source` of it, and `rows` fills in what
follows from the other columns. `mapping` reads the TOML file that says which column is which, `text` what its cells
hold, and `csv_file` serves the files. Nothing that a user's code or file says is used unchecked.
"""
