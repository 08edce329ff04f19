#compdef danebot
# Completion of danebot for zsh; danebot itself says what fits.
eval "$(_DANEBOT_COMPLETE=zsh_source danebot)"
_danebot_completion "$@"
