-- What a script sees in the server's sandbox; the language is what Lua 5.1 and 5.4 have in common, written as 5.1.
std = {
  globals = {},
  read_globals = {
    "KEYS", "ARGV", "cjson",
    redis = { fields = {
      "acl_check_cmd", "call", "pcall", "error_reply", "status_reply", "sha1hex", "log",
      "LOG_DEBUG", "LOG_VERBOSE", "LOG_NOTICE", "LOG_WARNING",
    } },
    math = { fields = { "abs", "ceil", "floor", "fmod", "huge", "max", "min", "modf" } },
    string = { fields = {
      "byte", "char", "find", "format", "gmatch", "gsub", "len", "lower", "match", "rep", "reverse", "sub", "upper",
    } },
    table = { fields = { "concat", "insert", "remove", "sort" } },
    "assert", "error", "ipairs", "next", "pairs", "pcall", "rawequal", "rawget", "rawset", "select",
    "setmetatable", "getmetatable", "tonumber", "tostring", "type", "unpack",
  },
}
max_line_length = 120
max_cyclomatic_complexity = false
codes = true
