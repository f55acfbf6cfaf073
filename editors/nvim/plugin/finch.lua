-- Makes `:Finch` exist as soon as the plugin is on the runtime path. Everything else waits for
-- `require('finch').setup()`, so a package that is only installed costs one command definition.
if vim.g.loaded_finch then
  return
end
vim.g.loaded_finch = true

vim.api.nvim_create_user_command('Finch', function(opts)
  local given = opts.range > 0
  require('finch.commands').run({
    args = opts.fargs,
    bang = opts.bang,
    first = given and opts.line1 or nil,
    last = given and opts.line2 or nil,
  })
end, {
  nargs = '*',
  bang = true,
  range = true,
  desc = 'finch: plan, ask, explain, edit, fix, undo, stop, status, why, restart, log and more',
  complete = function(lead, line)
    return require('finch.commands').complete(lead, line)
  end,
})
