"""Two invented player rows in the league's columns."""

LINE = {
    "SEASON_ID": "22024",
    "PLAYER_ID": "7",
    "PLAYER_NAME": "'Čvim Blorabbix Jr.'",
    "TEAM_ABBREVIATION": "'BOS'",
    "GAME_ID": "'0022499999'",
    "GAME_DATE": "'2025-01-10'",
    "MATCHUP": "'BOS @ NYK'",
    "WL": "'W'",
    "MIN": "30",
    "PTS": "9",
    "FGM": "4",
    "FGA": "9",
    "FG3M": "1",
    "FG3A": "3",
    "FTM": "0",
    "FTA": "0",
    "OREB": "1",
    "DREB": "2",
    "REB": "3",
    "AST": "4",
    "STL": "1",
    "BLK": "0",
    "TOV": "2",
    "PF": "3",
    "PLUS_MINUS": "9",
}


OTHER = LINE | {
    "PLAYER_ID": "8",
    "PLAYER_NAME": "'Zwet Quedommuz'",
    "TEAM_ABBREVIATION": "'NYK'",
    "MATCHUP": "'NYK @ BOS'",  # a neutral site: nobody is at home
    "WL": "'L'",
    "PTS": "2",
    "FGM": "1",
    "FG3M": "0",
    "AST": "1",
    "PLUS_MINUS": "-9",
}
