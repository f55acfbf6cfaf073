use super::*;

#[track_caller]
fn check(user: &[&str], excluded: &[&str], included: &[&str]) {
    let excludes = Excludes::with(user);
    for path in excluded {
        assert!(excludes.excludes(path), "{path} is excluded");
    }
    for path in included {
        assert!(!excludes.excludes(path), "{path} is not excluded");
    }
}

#[test]
fn files_that_hold_secrets_are_excluded_by_default() {
    check(
        &[],
        &[
            ".env",
            "/home/me/app/.env.local",
            "prod.env",
            "certs/server.pem",
            "server.KEY",
            "C:\\Users\\me\\.ssh\\config",
            "/home/me/.ssh/id_ed25519.pub",
            "deploy/id_rsa",
            "infra/secrets/values.txt",
            "config/secrets.yaml",
            "/home/me/.docker/config.json",
            "/home/me/.aws/config",
        ],
        &["src/main.rs", "environment.py", "src/secrets.rs", "keys.rs", "secrets", "config.json", "docs/ssh/notes.md"],
    );
}

#[test]
fn the_users_patterns_add_to_the_defaults() {
    check(&["*.sql", "private/", "src/**/generated/*.rs", ""], &[".env", "a/b.sql", "private/x.rs"], &["src/a.rs"]);
    check(&["src/**/generated/*.rs"], &["src/generated/a.rs", "w/src/x/y/generated/a.rs"], &["src/generated/a/b.py"]);
}

#[test]
fn an_exclamation_mark_takes_a_file_back_in() {
    check(&["!.env.example", "!src/secrets/"], &[".env", ".env.local"], &[".env.example", "app/src/secrets/store.rs"]);
    check(&["!.env*", ".env.prod"], &[".env.prod"], &[".env"]);
}

#[test]
fn a_pattern_of_many_stars_is_matched_in_time() {
    let pattern = "*a".repeat(500) + "b";
    check(&[&pattern], &[".env"], &[&"a".repeat(5_000)]);
}
