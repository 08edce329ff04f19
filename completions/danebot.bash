# Completion of danebot for bash; danebot itself says what fits.
eval "$(_DANEBOT_COMPLETE=bash_source danebot)"
