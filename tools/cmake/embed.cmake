# cmake -DINPUT=file -DSYMBOL=name -DOUTPUT=base -P embed.cmake
# Writes base.c and base.h: the bytes of the file as a constant array.
file(READ ${INPUT} hex HEX)
string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," bytes "${hex}")
string(REGEX REPLACE "((0x[0-9a-f][0-9a-f],){16})" "\\1\n    " bytes "${bytes}")
get_filename_component(header ${OUTPUT}.h NAME)
file(WRITE ${OUTPUT}.h "#pragma once\n#include <stddef.h>\n#include <stdint.h>\n\n"
  "extern const uint8_t ${SYMBOL}[];\nextern const size_t ${SYMBOL}_len;\n")
file(WRITE ${OUTPUT}.c "#include \"${header}\"\n\nconst uint8_t ${SYMBOL}[] = {\n    ${bytes}\n};\n"
  "const size_t ${SYMBOL}_len = sizeof ${SYMBOL};\n")
