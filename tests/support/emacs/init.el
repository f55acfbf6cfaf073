;; What a user of lsp-mode writes to get finch's ghost text, and around it what the test needs: packages of a folder,
;; nothing that asks or decorates, and a socket to be asked through.

(let ((default-directory (expand-file-name "usr/share/emacs/site-lisp/elpa-src" (getenv "FINCH_TEST_EMACS"))))
  (normal-top-level-add-subdirs-to-load-path)
  ;; As the package manager does for what it installed.
  (dolist (file (file-expand-wildcards "*/*-autoloads.el" t))
    (load file nil t)))
(setq native-comp-deferred-compilation nil
      inhibit-startup-screen t
      initial-scratch-message nil
      make-backup-files nil
      auto-save-default nil
      create-lockfiles nil
      server-socket-dir (getenv "FINCH_TEST_HOME")
      server-name "emacs"
      lsp-session-file (expand-file-name "session" (getenv "FINCH_TEST_HOME"))
      lsp-auto-guess-root t
      lsp-enable-suggest-server-download nil
      lsp-headerline-breadcrumb-enable nil)
(menu-bar-mode -1)

;; The lines of docs/editors.md.
(require 'lsp-mode)
(lsp-register-client
 (make-lsp-client :new-connection (lsp-stdio-connection (split-string (getenv "FINCH_TEST_SERVER") "\t"))
                  :activation-fn (lambda (&rest _) t) :server-id 'finch :add-on? t
                  :notification-handlers (ht ("finch/status" #'ignore))))
(setq lsp-inline-completion-idle-delay 0.2)
(add-hook 'prog-mode-hook #'lsp-deferred)

(require 'server)
(server-start)
