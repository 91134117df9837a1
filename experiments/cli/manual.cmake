# SPDX-License-Identifier: Apache-2.0
# cmake -DBIN=folder of the programs -DOUT=share folder [-DRUN=emulator] -P manual.cmake: manual pages and completion, from the programs' own text.
file(REMOVE_RECURSE ${OUT}/man ${OUT}/bash-completion)
file(MAKE_DIRECTORY ${OUT}/man/man1 ${OUT}/bash-completion/completions)
# ask(FILE program arguments...): its output in FILE.
function(ask output)
    execute_process(COMMAND ${RUN} ${ARGN} OUTPUT_FILE ${output} RESULT_VARIABLE rc)
    file(SIZE ${output} size)
    if(NOT rc EQUAL 0 OR size EQUAL 0)
        message(FATAL_ERROR "${ARGN}: ${rc}, ${size} bytes")
    endif()
endfunction()
execute_process(COMMAND ${RUN} ${BIN}/drover --manual=commands OUTPUT_VARIABLE commands COMMAND_ERROR_IS_FATAL ANY)
string(REGEX MATCHALL "[^\n]+" commands "${commands}")
list(REMOVE_ITEM commands help)
ask(${OUT}/man/man1/drover.1 ${BIN}/drover --manual=man)
foreach(command IN LISTS commands)
    ask(${OUT}/man/man1/drover-${command}.1 ${BIN}/drover ${command} --manual=man)
endforeach()
ask(${OUT}/bash-completion/completions/drover ${BIN}/drover completion bash)
# The programs that people also start by their own names.
foreach(program coordinator dashboard generate model worker)
    file(WRITE ${OUT}/bash-completion/completions/drover-${program}
        "# Completion of drover-${program} for bash: its options, then files.\n"
        "_drover_${program}() {\n"
        "    local cur=\${COMP_WORDS[COMP_CWORD]} options=\n"
        "    case $cur in -*) options=$(\"\${COMP_WORDS[0]}\" --manual=options 2>/dev/null | sed 's/=.*//') ;; esac\n"
        "    COMPREPLY=($(compgen -W \"$options\" -- \"$cur\"))\n"
        "}\n"
        "complete -o default -F _drover_${program} drover-${program}\n")
endforeach()
file(GLOB pages ${OUT}/man/man1/*.1)
execute_process(COMMAND gzip -9nf ${pages} COMMAND_ERROR_IS_FATAL ANY)
