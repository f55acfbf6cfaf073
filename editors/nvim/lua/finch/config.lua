--- Which options there are, what they are when the user says nothing, and whether what the user
--- said makes sense. Everyone reads the result through `get()`; nobody else merges tables.

local M = {}

M.defaults = {
  -- The command that starts the language server. The first word is looked up on PATH.
  cmd = { 'finch', 'lsp' },
  -- More environment for the server, for example { FINCH_HOME = '/data/finch' }.
  env = {},
  -- Sent to the server as `initializationOptions`.
  init_options = {},
  -- The nearest directory with one of these is the workspace; without one, finch sees single files.
  root_markers = { '.git', '.hg', 'Cargo.toml', 'package.json', 'pyproject.toml', 'go.mod' },
  -- Larger files are left alone.
  file_bytes_max = 1024 * 1024,
  filetypes_excluded = { 'gitcommit', 'gitrebase', 'hgcommit', 'mail', 'netrw', 'checkhealth' },
  -- A last word of the user's: function(buf) -> boolean.
  attach = nil,
  -- Who draws: 'native' (Neovim's own, 0.12 and later), 'own' (0.10 and later), or 'auto'.
  ghost = 'auto',
  -- How long typing must pause before 'own' asks. 'native' waits a fixed 200 ms of its own.
  debounce_ms = 75,
  -- What finch is told of what your other language servers know.
  context = {
    definitions = true,
    diagnostics = true,
  },
  -- Insert mode keys; false leaves a key alone.
  keys = {
    accept = '<Tab>',
    accept_word = '<C-Right>',
    accept_line = '<C-Down>',
    next = '<M-n>',
    prev = '<M-p>',
    dismiss = '<C-]>',
    good = false,
    bad = false,
  },
}

local ghosts = { auto = true, native = true, own = true }

local types = {
  cmd = { 'table' },
  env = { 'table' },
  init_options = { 'table' },
  root_markers = { 'table' },
  file_bytes_max = { 'number' },
  filetypes_excluded = { 'table' },
  attach = { 'function', 'nil' },
  ghost = { 'string' },
  debounce_ms = { 'number' },
  context = { 'table' },
  keys = { 'table' },
}

local current ---@type table?

--- Sentences about what is wrong with `options`; empty when all is well.
---@param options table
---@return string[]
function M.problems(options)
  local found = {}
  for name, value in vim.spairs(options) do
    local allowed = types[name]
    if not allowed then
      found[#found + 1] = ('there is no option "%s"'):format(name)
    elseif not vim.tbl_contains(allowed, type(value)) then
      found[#found + 1] = ('"%s" must be a %s, not a %s'):format(name, allowed[1], type(value))
    end
  end
  if type(options.ghost) == 'string' and not ghosts[options.ghost] then
    found[#found + 1] = '"ghost" must be "auto", "native" or "own"'
  end
  if type(options.cmd) == 'table' and type(options.cmd[1]) ~= 'string' then
    found[#found + 1] = '"cmd" must be a list of words, such as { "finch", "lsp" }'
  end
  for name, value in vim.spairs(type(options.keys) == 'table' and options.keys or {}) do
    if M.defaults.keys[name] == nil then
      found[#found + 1] = ('there is no key "%s"'):format(name)
    elseif value ~= false and type(value) ~= 'string' then
      found[#found + 1] = ('key "%s" must be a string or false'):format(name)
    end
  end
  for name, value in vim.spairs(type(options.context) == 'table' and options.context or {}) do
    if M.defaults.context[name] == nil then
      found[#found + 1] = ('there is no context "%s"'):format(name)
    elseif type(value) ~= 'boolean' then
      found[#found + 1] = ('context "%s" must be true or false'):format(name)
    end
  end
  return found
end

--- Take the user's options. What makes no sense is reported and its default kept.
---@param options? table
function M.set(options)
  options = options or {}
  local problems = M.problems(options)
  if #problems > 0 then
    vim.notify('finch: ' .. table.concat(problems, '; ') .. ' (see :help finch-options)', vim.log.levels.WARN)
    options = vim.deepcopy(options)
    for name, value in pairs(options) do
      if #M.problems({ [name] = value }) > 0 then
        options[name] = nil
      end
    end
  end
  current = vim.tbl_deep_extend('force', vim.deepcopy(M.defaults), options)
  -- Lists replace the defaults; merging them by index would mix two commands.
  for _, name in ipairs({ 'cmd', 'root_markers', 'filetypes_excluded' }) do
    current[name] = options[name] or M.defaults[name]
  end
end

--- Whether `setup` has run.
---@return boolean
function M.is_set()
  return current ~= nil
end

---@return table
function M.get()
  return current or M.defaults
end

--- Whether Neovim's own inline completion shows the suggestions.
---@return boolean
function M.native()
  return M.get().ghost ~= 'own' and vim.lsp.inline_completion ~= nil
end

return M
