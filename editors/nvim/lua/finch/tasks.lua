--- What the user asks of the agent, from `:Finch` and from Lua: each collects what its command of the
--- server wants, asks for a text where there is none, and sends it.

local agent = require('finch.agent')
local clients = require('finch.client')
local editor = require('finch.editor')
local turns = require('finch.turns')

local M = {}

---@class finch.Request
---@field text? string what follows the word
---@field first? integer the range of lines that was given
---@field last? integer

--- The place that is meant: the lines given, else the cursor's.
---@param request finch.Request
---@return table {uri, range}, or empty where there is no file
local function place(request)
  local buf = vim.api.nvim_get_current_buf()
  if vim.bo[buf].buftype ~= '' or vim.api.nvim_buf_get_name(buf) == '' then
    return {}
  end
  local row = vim.api.nvim_win_get_cursor(0)[1]
  local range = editor.lines_range(buf, request.first or row, request.last or row)
  return { uri = vim.uri_from_bufnr(buf), range = range }
end

--- The place, or a word about there being none.
---@param request finch.Request
---@return table?
local function file_place(request)
  local at = place(request)
  if not at.uri then
    vim.notify('finch: open a file and put the cursor where it should happen', vim.log.levels.WARN)
    return nil
  end
  return at
end

---@param given string?
---@param prompt string
---@param use fun(text: string)
local function with_text(given, prompt, use)
  if given and given ~= '' then
    return use(given)
  end
  vim.ui.input({ prompt = prompt }, function(text)
    if text and text ~= '' then
      use(text)
    end
  end)
end

--- Whether the lines say what to do.
---@param request finch.Request
---@return boolean
local function says_what(request)
  local line = vim.api.nvim_get_current_line()
  return request.first ~= nil or vim.fn.match(line, [[\C\<\(TODO\|FIXME\)\>]]) >= 0
end

--- Plan a task: the text, else the lines given or the TODO at the cursor, else what is asked for.
---@param request finch.Request
function M.plan(request)
  local at = place(request)
  if (request.text or '') == '' and at.uri and says_what(request) then
    return agent.send('finch.plan', at)
  end
  with_text(request.text, 'finch: what should be done? ', function(task)
    agent.send('finch.plan', vim.tbl_extend('force', at, { task = task }))
  end)
end

--- Ask a question about the code.
---@param request finch.Request
function M.ask(request)
  local at = place(request)
  with_text(request.text, 'finch: your question? ', function(text)
    agent.send('finch.ask', vim.tbl_extend('force', at, { text = text }))
  end)
end

--- Edit the lines as the text says.
---@param request finch.Request
function M.edit(request)
  local at = file_place(request)
  if at then
    with_text(request.text, 'finch: what should be done with this code? ', function(text)
      agent.send('finch.edit', vim.tbl_extend('force', at, { instruction = text }))
    end)
  end
end

--- A command that wants a place and nothing else.
---@param command string
---@return fun(request: finch.Request)
local function at_place(command)
  return function(request)
    local at = file_place(request)
    if at then
      agent.send(command, at)
    end
  end
end

M.explain = at_place('finch.explain')
M.test = at_place('finch.test')
M.document = at_place('finch.document')

--- Fix the diagnostic at the cursor.
---@param request finch.Request
function M.fix(request)
  local at = file_place(request)
  local row, col = unpack(vim.api.nvim_win_get_cursor(0))
  local found = vim.diagnostic.get(0, { lnum = row - 1 })
  table.sort(found, function(a, b)
    return math.abs(a.col - col) < math.abs(b.col - col)
  end)
  if not at then
    return
  elseif not found[1] then
    return vim.notify('finch: there is no diagnostic in this line', vim.log.levels.WARN)
  end
  local client = clients.near(0)
  local encoding = client and client.offset_encoding or 'utf-16'
  local range = editor.range_of(vim.api.nvim_get_current_buf(), found[1], encoding)
  local diagnostic = { message = found[1].message, source = found[1].source, range = range }
  agent.send('finch.fix', { uri = at.uri, range = range, diagnostic = diagnostic })
end

--- Take back what the newest turn changed.
function M.undo()
  agent.send('finch.undoTurn')
end

---@param found finch.Turn[]
---@param command string
---@param all? string what all of them are called
local function choose_turn(found, command, all)
  local entries = vim.deepcopy(found)
  if all then
    entries[#entries + 1] = { title = all }
  end
  vim.ui.select(entries, {
    prompt = 'finch: which one?',
    format_item = function(turn)
      return turn.id and turns.words(turn) or turn.title
    end,
  }, function(turn)
    if turn then
      local client = turn.client_id and vim.lsp.get_client_by_id(turn.client_id)
      agent.send(command, turn.id and { turn = turn.id } or nil, client)
    end
  end)
end

--- Stop what runs; of several turns those that the user chooses.
function M.stop()
  local running = turns.running()
  if #running > 1 then
    return choose_turn(running, 'finch.stop', 'all of them')
  end
  local client = running[1] and vim.lsp.get_client_by_id(running[1].client_id)
  -- Without a turn all are stopped, also those that this Neovim has not heard of.
  agent.send('finch.stop', nil, client)
end

--- Go on with a turn that was interrupted.
---@param request finch.Request
function M.resume(request)
  if request.text and request.text ~= '' then
    return agent.send('finch.resume', { turn = request.text })
  end
  local found = turns.resumable()
  if #found == 0 then
    return vim.notify('finch: no turn was interrupted; a plan goes on where you approve it again')
  elseif #found == 1 then
    return agent.send('finch.resume', { turn = found[1].id }, vim.lsp.get_client_by_id(found[1].client_id))
  end
  choose_turn(found, 'finch.resume')
end

--- Do one of the things that the code lenses of the buffer offer: those at the cursor, else all.
function M.choose()
  local buf, row = vim.api.nvim_get_current_buf(), vim.api.nvim_win_get_cursor(0)[1] - 1
  local client = clients.of(buf)
  if not client or not client.server_capabilities.codeLensProvider then
    return vim.notify('finch: there is nothing to choose here', vim.log.levels.WARN)
  end
  local params = { textDocument = vim.lsp.util.make_text_document_params(buf) }
  clients.request(client, 'textDocument/codeLens', params, function(err, lenses)
    local all = vim.tbl_filter(function(lens)
      -- Some only say something.
      return lens.command ~= nil and lens.command.command ~= ''
    end, not err and lenses or {})
    local here = vim.tbl_filter(function(lens)
      return lens.range.start.line == row
    end, all)
    if #all == 0 then
      return vim.notify('finch: there is nothing to choose here', vim.log.levels.WARN)
    end
    vim.ui.select(#here > 0 and here or all, {
      prompt = 'finch:',
      format_item = function(lens)
        return lens.command.title
      end,
    }, function(lens)
      if lens then
        agent.execute(lens.command, client)
      end
    end)
  end, buf)
end

return M
