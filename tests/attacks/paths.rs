//! Section C: paths that lead elsewhere than they say.

use crate::support::attack::Act::{Bash, Call, Meanwhile};
use crate::support::attack::Expect::{self, Runs, Says};
use crate::support::attack::Put::{HardLink, Link, Pipe, Script, Socket, Text};
use crate::support::attack::{ROW, Row};

const ASKED: Expect = Says("nobody is there to ask");
const OUTSIDE: Expect = Says("it is outside the workspace");

pub(super) const ROWS: &[Row] = &[
    Row {
        id: "C1",
        threat: "reading above the workspace",
        files: &[Text("sub/f", "x")],
        acts: &[
            Call("Read", r#"{"path": "../out/s"}"#),
            Call("Read", r#"{"path": "sub/../../out/s"}"#),
            Call("Read", r#"{"path": "{out}/s"}"#),
            Call("Grep", r#"{"pattern": "outside", "path": "../out"}"#),
            Call("Glob", r#"{"pattern": "*", "path": ".."}"#),
        ],
        expect: ASKED,
        ..ROW
    },
    Row {
        id: "C1",
        threat: "writing above the workspace",
        acts: &[
            Call("Write", r#"{"path": "../out/pwned", "content": "x"}"#),
            Call("Write", r#"{"path": "{out}/s", "content": "x"}"#),
            Call("Edit", r#"{"path": "../out/s", "old_text": "outside", "new_text": "x"}"#),
            Call("Edit", r#"{"patch": "--- /dev/null\n+++ b/../out/pwned\n@@ -0,0 +1 @@\n+x\n"}"#),
            Call("Edit", r#"{"patch": "rename from f\nrename to ../out/pwned\n"}"#),
            Call("Edit", r#"{"patch": "--- a/../out/s\n+++ /dev/null\n"}"#),
        ],
        expect: OUTSIDE,
        ..ROW
    },
    Row {
        id: "C1",
        threat: "paths in the spelling of addresses",
        acts: &[
            Call("Read", r#"{"path": "%2e%2e/out/s"}"#),
            Call("Read", r#"{"path": "file://{ws}/..%2Fout/s"}"#),
            Call("Read", r#"{"path": "file://{out}/s"}"#),
            Call("Read", r#"{"path": "..\\out\\s"}"#),
        ],
        expect: Says("does not exist"),
        ..ROW
    },
    Row {
        id: "C2",
        threat: "a neighbour that is named alike",
        acts: &[
            Call("Read", r#"{"path": "../ws-evil/f"}"#),
            Call("Read", r#"{"path": "{ws}-evil/f"}"#),
            Call("Grep", r#"{"pattern": "x", "path": "{ws}-evil"}"#),
        ],
        expect: ASKED,
        ..ROW
    },
    Row {
        id: "C2",
        threat: "writing to a neighbour that is named alike",
        acts: &[Call("Write", r#"{"path": "{ws}-evil/f", "content": "x"}"#)],
        expect: OUTSIDE,
        ..ROW
    },
    Row {
        id: "C3",
        threat: "links to secrets",
        files: &[Link("l", "{home}/.ssh/id_rsa"), Link("d", "{home}/.ssh"), Link("m", "l")],
        acts: &[
            Call("Read", r#"{"path": "l"}"#),
            Call("Read", r#"{"path": "d/id_rsa"}"#),
            Call("Read", r#"{"path": "m"}"#),
            Call("Read", r#"{"path": "d/../.ssh/id_rsa"}"#),
        ],
        ..ROW
    },
    Row {
        id: "C3",
        threat: "links that a search would follow",
        files: &[Link("l", "{out}/s"), Link("d", "{out}"), Link("sub/e", "{home}")],
        acts: &[
            Call("Grep", r#"{"pattern": "CANARY|outside"}"#),
            Call("Glob", r#"{"pattern": "**/id_*"}"#),
            Call("Glob", r#"{"pattern": "**/s"}"#),
        ],
        expect: Runs,
        ..ROW
    },
    Row {
        id: "C3",
        threat: "writing through links",
        files: &[Link("l", "{out}/s"), Link("d", "{out}")],
        acts: &[
            Call("Write", r#"{"path": "d/pwned", "content": "x"}"#),
            Call("Write", r#"{"path": "l", "content": "x"}"#),
            Call("Edit", r#"{"path": "d/s", "old_text": "outside", "new_text": "x"}"#),
        ],
        expect: OUTSIDE,
        ..ROW
    },
    Row {
        id: "C5",
        threat: "another name of a file outside",
        files: &[HardLink("h", "{out}/s")],
        acts: &[Call("Edit", r#"{"path": "h", "old_text": "outside", "new_text": "changed"}"#)],
        expect: Runs,
        workspace_may_change: true,
        still: &[("h", Some("changed CANARY-3f9d2a-OUT\n"))],
        ..ROW
    },
    Row {
        id: "C6",
        threat: "what is no file",
        files: &[Pipe("p"), Socket("k"), Link("z", "/dev/zero")],
        acts: &[Call("Read", r#"{"path": "p"}"#), Call("Read", r#"{"path": "k"}"#)],
        expect: Says("is neither a file nor a folder"),
        ..ROW
    },
    Row {
        id: "C6",
        threat: "devices and the state of processes",
        files: &[Link("z", "/dev/zero"), Link("e", "/proc/self/environ")],
        acts: &[
            Call("Read", r#"{"path": "/dev/zero"}"#),
            Call("Read", r#"{"path": "z"}"#),
            Call("Read", r#"{"path": "/proc/self/environ"}"#),
            Call("Read", r#"{"path": "/dev/tcp/127.0.0.1/80"}"#),
            Call("Grep", r#"{"pattern": "x", "path": "/proc/self"}"#),
        ],
        ..ROW
    },
    Row {
        id: "C7",
        threat: "a folder becomes a link before the edit is written",
        acts: &[Call("Write", r#"{"path": "new/pwned", "content": "x"}"#), Meanwhile(Link("new", "{out}"))],
        expect: Runs,
        workspace_may_change: true,
        ..ROW
    },
    Row {
        id: "C7",
        threat: "a command makes the link",
        files: &[Script("act.sh", "ln -s {out} new")],
        acts: &[
            Call("Write", r#"{"path": "new/pwned", "content": "x"}"#),
            Bash("bash act.sh"),
            Call("Write", r#"{"path": "new/pwned", "content": "y"}"#),
            Call("Read", r#"{"path": "new/s"}"#),
        ],
        expect: Says(""),
        workspace_may_change: true,
        ..ROW
    },
    Row {
        id: "C8",
        threat: "secrets within the workspace",
        files: &[
            Text(".env", "KEY=CANARY-3f9d2a-ENV\n"),
            Text("keys/id_rsa", "CANARY-3f9d2a-RSA\n"),
            Text("tls/server.pem", "CANARY-3f9d2a-PEM\n"),
        ],
        acts: &[
            Call("Read", r#"{"path": ".env"}"#),
            Call("Read", r#"{"path": "keys/id_rsa"}"#),
            Call("Read", r#"{"path": "tls/server.pem"}"#),
            Bash("cat .env"),
            Bash("grep -r CANARY ."),
            Call("Edit", r#"{"path": ".env", "old_text": "nothing like it", "new_text": "x"}"#),
        ],
        ..ROW
    },
    Row {
        id: "C8",
        threat: "secrets that a search would find",
        files: &[
            Text(".env", "KEY=CANARY-3f9d2a-ENV\n"),
            Text("keys/id_rsa", "CANARY-3f9d2a-RSA\n"),
            Text("tls/server.pem", "CANARY-3f9d2a-PEM\n"),
        ],
        acts: &[Call("Grep", r#"{"pattern": "CANARY|KEY"}"#), Call("Glob", r#"{"pattern": "**/*.pem"}"#)],
        expect: Runs,
        ..ROW
    },
    Row {
        id: "C9",
        threat: "names that are commands, options or lines of their own",
        files: &[
            Text("$(touch pwned).rs", "x\n"),
            Text("-rf", "x\n"),
            Text("a\nb", "x\n"),
            Text("c\u{1b}[2Jd", "x\n"),
            Text("e\u{202e}f", "x\n"),
        ],
        acts: &[
            Call("Glob", r#"{"pattern": "*"}"#),
            Call("Grep", r#"{"pattern": "x"}"#),
            Call("Read", r#"{"path": "c\u001b[2Jd"}"#),
            Call("Read", r#"{"path": "-rf"}"#),
        ],
        expect: Runs,
        ..ROW
    },
];
