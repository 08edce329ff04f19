# Completion of danebot for fish; danebot itself says what fits.
_DANEBOT_COMPLETE=fish_source danebot | source
