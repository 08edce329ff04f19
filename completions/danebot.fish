# Completion of danebot for fish; danebot itself says what fits.
# click's own function (_DANEBOT_COMPLETE=fish_source) cuts descriptions at their first comma.
function _danebot_completion
    set -l words (commandline --current-process --cut-at-cursor)
    set -l word (commandline --current-token --cut-at-cursor)
    for one in (env _DANEBOT_COMPLETE=fish_complete COMP_WORDS="$words" COMP_CWORD="$word" danebot)
        set -l parts (string split --max 1 , -- $one)
        switch $parts[1]
            case dir
                __fish_complete_directories $parts[2]
            case file
                __fish_complete_path $parts[2]
            case plain
                echo $parts[2]
        end
    end
end
complete --no-files --command danebot --arguments '(_danebot_completion)'
