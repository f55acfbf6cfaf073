--- The agent: what its server asks of the editor and tells it, and what the user asks of it. Each
--- message has its module; this one joins them.

local approve = require('finch.approve')
local ask_user = require('finch.askuser')
local clients = require('finch.client')
local documents = require('finch.documents')
local editor = require('finch.editor')
local status = require('finch.status')
local turns = require('finch.turns')

local M = {}

--- What this client can do beyond the standard: `initializationOptions.finch.client`.
M.capabilities = {
  approve = true,
  turnEvents = true,
  save = true,
  restart = true,
  diagnostics = true,
  askUser = true,
}

-- A server that wants to be started anew more often within the time is left as it is.
local restarts_max, restarts_within_ms = 3, 60000
local restarts = {} ---@type number[]

--- Wait in a handler for what `begin` hands to its callback; Neovim runs handlers of requests so that
--- they may.
---@param begin fun(reply: fun(result: any))
---@return any
local function await(begin)
  local handler = coroutine.running()
  local waits, replied, result = false, false, nil
  begin(function(value)
    if replied then
      return
    end
    replied, result = true, value
    if waits then
      assert(coroutine.resume(handler))
    end
  end)
  if not replied then
    waits = true
    coroutine.yield()
  end
  return result
end

---@param event table
---@param client_id integer
local function take(event, client_id)
  local turn = turns.take(event, client_id)
  if type(event.uri) == 'string' then
    documents.remember(event.uri, client_id)
    documents.changed(event.uri)
  end
  if event.kind == 'ended' then
    approve.ended(client_id, event.turn)
    local undo = event.outcome == 'done' and (turn.task == 'work' or turn.task == 'change')
    local hint = undo and ' (:Finch undo takes it back)' or ''
    local level = event.outcome == 'failed' and vim.log.levels.ERROR or vim.log.levels.INFO
    vim.notify(('finch: %s%s'):format(event.message, hint), level)
  end
  status.announce()
end

---@param reason string
---@param client_id integer
local function restart(reason, client_id)
  local now = vim.uv.now()
  restarts = vim.tbl_filter(function(at)
    return now - at < restarts_within_ms
  end, restarts)
  restarts[#restarts + 1] = now
  if #restarts > restarts_max then
    vim.notify(('finch: the server wants to be started anew again and again: %s (:Finch restart)'):format(reason), vim.log.levels.ERROR)
    return
  end
  require('finch.server').replace(client_id)
end

--- Answers to what the server asks and tells.
M.handlers = {
  ['finch/approve'] = function(_, params, ctx)
    return await(function(reply)
      approve.ask(params, ctx.client_id, reply)
    end)
  end,
  ['finch/askUser'] = function(_, params)
    return await(function(reply)
      ask_user.ask(params.questions, reply)
    end)
  end,
  ['finch/save'] = function(_, params)
    return editor.save(params.uris)
  end,
  ['finch/diagnostics'] = function(_, params, ctx)
    return await(function(reply)
      local uris = type(params) == 'table' and type(params.uris) == 'table' and params.uris or nil
      editor.diagnostics(ctx.client_id, uris, reply)
    end)
  end,
  ['finch/restart'] = function(_, params, ctx)
    restart(params.reason, ctx.client_id)
  end,
  ['finch/turnEvent'] = function(_, params, ctx)
    take(params, ctx.client_id)
  end,
  ['$/cancelRequest'] = function(_, _, ctx)
    approve.cancelled(ctx.client_id)
  end,
  ['window/showDocument'] = function(_, params, ctx)
    return documents.show(params, ctx.client_id)
  end,
}


--- Send a command to the server; what it says against it is shown.
---@param command string
---@param argument? table
---@param client? vim.lsp.Client
function M.send(command, argument, client)
  client = client or clients.near(0)
  if not client then
    vim.notify('finch: no server is running (see :checkhealth finch)', vim.log.levels.WARN)
    return
  end
  local params = { command = command, arguments = { argument or vim.empty_dict() } }
  clients.request(client, 'workspace/executeCommand', params, function(err)
    if err then
      vim.notify('finch: ' .. (err.message or vim.inspect(err)), vim.log.levels.ERROR)
    end
  end, 0)
end

--- A command of a lens or a code action that wants a text of the user first.
---@param key string the field of the argument
---@param prompt string
---@param is_needed boolean whether it makes no sense without
local function with_text(key, prompt, is_needed)
  return function(command, ctx)
    local client = vim.lsp.get_client_by_id(ctx.client_id)
    local argument = (command.arguments or {})[1] or {}
    if type(argument[key]) == 'string' then
      return M.send(command.command, argument, client)
    end
    vim.ui.input({ prompt = prompt }, function(text)
      if text == nil or (is_needed and text == '') then
        return
      end
      argument = vim.tbl_extend('force', argument, { [key] = text ~= '' and text or nil })
      M.send(command.command, argument, client)
    end)
  end
end

--- The commands that the client runs itself.
M.commands = {
  ['finch.revise'] = with_text('direction', 'finch: what should be different? ', false),
  ['finch.edit'] = with_text('instruction', 'finch: what should be done? ', true),
  ['finch.ask'] = with_text('text', 'finch: your question? ', true),
}

--- Run a command of a lens.
---@param command table lsp.Command
---@param client vim.lsp.Client
function M.execute(command, client)
  local own = M.commands[command.command]
  if own then
    own(command, { client_id = client.id })
  else
    M.send(command.command, (command.arguments or {})[1], client)
  end
end

--- A server serves a buffer.
---@param buf integer
function M.attach(buf)
  documents.attach(buf)
end

--- A server has gone.
---@param client_id integer
function M.gone(client_id)
  turns.gone(client_id)
  approve.gone(client_id)
end

return M
