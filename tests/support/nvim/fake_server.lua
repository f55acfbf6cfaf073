-- A language server that answers inline completion from a script, for tests of the editor plugin:
--   nvim -l fake_server.lua SCRIPT LOG
-- SCRIPT is JSON. Every message it receives is one line of LOG. It keeps the documents, so that a
-- rule can say after which text it applies:
--   encoding   the position encoding to choose if the client offers it
--   status     params of finch/status, sent after `initialized`
--   explain    the result of finch/explainLast
--   rules      [{ after, items: [{ text, back, ahead, id }], hold, late, die, invoked }]; the last that fits wins.
--              `after` is what the text before the cursor ends with; `back` and `ahead` are how many
--              units of the line around the cursor an item replaces; `hold`: never answer;
--              `late`: answer only after the next question has been answered;
--              `die`: end with this exit code;
--              `invoked`: only for questions the user asked.
--   through    answer typed-through text with what is left of an item
--   definitions  { name: [file, line] }: where textDocument/definition leads, the file beside the document asked about
--   diagnostics  what is published of a document when it is opened
--   commands   the commands it announces beside finch.accept
--   lenses     { file: [{ line, title, command, arguments }] }: the code lenses of files whose path ends so
--   on         { what: [action] }: what it does after a command (`what` is its name, and it is answered with a turn
--              first) or after the client has answered its request (`what` is `answer ID`): { send: message } or
--              { write: [file, text] }, with ROOT in texts for the address of the workspace's folder
-- Without `rules` it offers no inline completion, without `definitions` none of these.
-- Whatever fits no rule is answered with null.

local script = vim.json.decode(assert(io.open(arg[1], 'rb')):read('*a'))
local log = assert(io.open(arg[2], 'ab'))
local encoding = script.encoding or 'utf-8'
local documents = {}
local late
local root = ''

local function send(message)
  message.jsonrpc = '2.0'
  local body = vim.json.encode(message)
  io.stdout:write('Content-Length: ', #body, '\r\n\r\n', body)
  io.stdout:flush()
end

local function receive()
  local length
  for line in io.stdin:lines() do
    line = line:gsub('\r$', '')
    if line == '' then
      break
    end
    length = tonumber(line:lower():match('^content%-length:%s*(%d+)')) or length
  end
  local body = length and io.stdin:read(length)
  return body and vim.json.decode(body), body
end

-- Bytes in the first `units` units of a line; code points above U+FFFF are two units of UTF-16.
local function bytes(line, units)
  if encoding == 'utf-8' then
    return units
  end
  local at, seen = 1, 0
  while at <= #line and seen < units do
    local lead = line:byte(at)
    local size = lead < 0x80 and 1 or lead < 0xE0 and 2 or lead < 0xF0 and 3 or 4
    seen = seen + ((size == 4 and encoding == 'utf-16') and 2 or 1)
    at = at + size
  end
  return at - 1
end

local function text_before(params)
  local before, row = {}, params.position.line
  local lines = vim.split(documents[params.textDocument.uri], '\n', { plain = true })
  for i = 1, row do
    before[i] = lines[i]
  end
  local line = lines[row + 1] or ''
  before[row + 1] = line:sub(1, bytes(line, params.position.character))
  return table.concat(before, '\n')
end

local function item_of(spec, text, back, position)
  local function at(character)
    return { line = position.line, character = character }
  end
  return {
    insertText = text,
    range = { start = at(position.character - back), ['end'] = at(position.character + (spec.ahead or 0)) },
    command = spec.id and { title = '', command = 'finch.accept', arguments = { { id = spec.id } } } or nil,
  }
end

local function rule_for(before, params)
  for i = #script.rules, 1, -1 do
    local rule = script.rules[i]
    local wanted = not rule.invoked or params.context.triggerKind == 1
    if wanted and vim.endswith(before, rule.after) then
      return rule
    end
  end
end

local function typed_through(before, position)
  for _, rule in ipairs(script.through and script.rules or {}) do
    for _, spec in ipairs(rule.items or {}) do
      for typed = #spec.text - 1, 1, -1 do
        if vim.endswith(before, rule.after .. spec.text:sub(1, typed)) then
          return item_of(spec, spec.text:sub(typed + 1), 0, position)
        end
      end
    end
  end
end

local function inline_completion(id, params)
  local before = text_before(params)
  local rule = rule_for(before, params)
  if rule and rule.die then
    os.exit(rule.die)
  elseif rule and rule.hold then
    return
  end
  local items = {}
  for _, spec in ipairs(rule and rule.items or {}) do
    items[#items + 1] = item_of(spec, spec.text, spec.back or 0, params.position)
  end
  items[1] = items[1] or typed_through(before, params.position)
  local answer = { id = id, result = items[1] and { items = items } or vim.NIL }
  if rule and rule.late then
    late = answer
    return
  end
  send(answer)
  if late then
    send(late)
    late = nil
  end
end

local function definition(id, params)
  local uri, position = params.textDocument.uri, params.position
  local line = vim.split(documents[uri], '\n', { plain = true })[position.line + 1]
  local name = line:sub(bytes(line, position.character) + 1):match('^[%w_]+')
  local place = script.definitions[name]
  local at = place and { line = place[2], character = 0 }
  local target = place and uri:match('^.*/') .. place[1]
  send({ id = id, result = place and { uri = target, range = { start = at, ['end'] = at } } or vim.NIL })
end

-- Does what the script says follows on something.
local function follow(what)
  for _, action in ipairs((script.on or {})[what] or {}) do
    local whole = vim.json.encode(action):gsub('ROOT', function()
      return (root:gsub('/', '\\/'))
    end)
    action = vim.json.decode(whole)
    if action.write then
      vim.fn.mkdir(vim.fs.dirname(action.write[1]), 'p')
      local file = assert(io.open(action.write[1], 'wb'))
      file:write(action.write[2])
      file:close()
    else
      send(action.send)
    end
  end
end

local function code_lens(id, params)
  local found = {}
  for file, lenses in pairs(script.lenses or {}) do
    for _, lens in ipairs(vim.endswith(params.textDocument.uri, file) and lenses or {}) do
      local at = { line = lens.line, character = 0 }
      found[#found + 1] = {
        range = { start = at, ['end'] = at },
        command = { title = lens.title, command = lens.command, arguments = lens.arguments },
      }
    end
  end
  send({ id = id, result = found })
end

local handlers = {
  initialize = function(id, params)
    root = params.rootUri ~= vim.NIL and params.rootUri or ''
    -- What the client does not offer may not be chosen, and utf-16 always may.
    if not vim.tbl_contains(vim.tbl_get(params, 'capabilities', 'general', 'positionEncodings') or {}, encoding) then
      encoding = 'utf-16'
    end
    send({
      id = id,
      result = {
        capabilities = {
          positionEncoding = encoding,
          textDocumentSync = { openClose = true, change = 1 },
          inlineCompletionProvider = script.rules and vim.empty_dict() or nil,
          definitionProvider = script.definitions ~= nil,
          executeCommandProvider = { commands = vim.list_extend({ 'finch.accept' }, script.commands or {}) },
          codeLensProvider = script.lenses and vim.empty_dict() or nil,
        },
        serverInfo = { name = 'fake' },
      },
    })
  end,
  initialized = function()
    if script.status then
      send({ method = 'finch/status', params = script.status })
    end
  end,
  ['textDocument/didOpen'] = function(_, params)
    local uri = params.textDocument.uri
    documents[uri] = params.textDocument.text
    if script.diagnostics then
      send({
        method = 'textDocument/publishDiagnostics',
        params = { uri = uri, diagnostics = script.diagnostics },
      })
    end
  end,
  ['textDocument/didChange'] = function(_, params)
    documents[params.textDocument.uri] = params.contentChanges[#params.contentChanges].text
  end,
  ['textDocument/inlineCompletion'] = inline_completion,
  ['textDocument/definition'] = definition,
  ['textDocument/codeLens'] = code_lens,
  ['workspace/executeCommand'] = function(id, params)
    send({ id = id, result = { turn = 't1' } })
    follow(params.command)
  end,
  ['finch/explainLast'] = function(id)
    send({ id = id, result = script.explain or vim.NIL })
  end,
  ['finch/feedback'] = function(id)
    send({ id = id, result = { id = 1, recorded = true } })
  end,
  exit = function()
    os.exit(0)
  end,
}

while true do
  local message, body = receive()
  if not message then
    os.exit(1)
  end
  log:write(body, '\n')
  log:flush()
  local handler = handlers[message.method]
  if handler then
    handler(message.id, message.params)
  elseif message.id and message.method then
    send({ id = message.id, result = vim.NIL })
  elseif message.id then
    follow('answer ' .. message.id)
  end
end
