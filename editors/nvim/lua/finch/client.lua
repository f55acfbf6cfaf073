--- How to talk to a language client. Its functions became methods in Neovim 0.11; only this module
--- knows, and the others name the client first on every version.

local M = {}

local methods = vim.fn.has('nvim-0.11') == 1

--- The client that serves a buffer.
---@param buf integer
---@return vim.lsp.Client?
function M.of(buf)
  return vim.lsp.get_clients({ bufnr = buf, name = 'finch' })[1]
end

--- The client that serves a buffer, else one that runs.
---@param buf integer
---@return vim.lsp.Client?
function M.near(buf)
  return M.of(buf) or vim.lsp.get_clients({ name = 'finch' })[1]
end

---@param client vim.lsp.Client
---@param method string
---@param params table
---@param handler fun(err: table?, result: any)
---@param buf integer
---@return boolean sent
---@return integer? id
function M.request(client, method, params, handler, buf)
  if methods then
    return client:request(method, params, handler, buf)
  end
  return client.request(method, params, handler, buf)
end

--- Tell the server that nobody waits for an answer any more.
---@param client vim.lsp.Client
---@param id integer
function M.cancel(client, id)
  if methods then
    client:cancel_request(id)
  else
    client.cancel_request(id)
  end
end

---@param client vim.lsp.Client
---@param method string
---@param buf integer
---@return boolean
function M.supports(client, method, buf)
  if methods then
    return client:supports_method(method, buf)
  end
  return client.supports_method(method, { bufnr = buf })
end

---@param client vim.lsp.Client
---@param method string
---@param params table
function M.notify(client, method, params)
  if methods then
    client:notify(method, params)
  else
    client.notify(method, params)
  end
end

--- Ask the server to go.
---@param client vim.lsp.Client
function M.stop(client)
  if methods then
    client:stop()
  else
    client.stop()
  end
end

--- End the server without asking.
---@param client vim.lsp.Client
function M.kill(client)
  if methods then
    client:stop(true)
  else
    client.stop(true)
  end
end

---@param client vim.lsp.Client
---@param command table lsp.Command
---@param buf integer
function M.execute(client, command, buf)
  local params = { command = command.command, arguments = command.arguments }
  M.request(client, 'workspace/executeCommand', params, function() end, buf)
end

return M
