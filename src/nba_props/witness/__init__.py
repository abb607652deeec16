"""The second witness: team box scores of another source against ours (`compare`), and what is said of it (`text`)."""
