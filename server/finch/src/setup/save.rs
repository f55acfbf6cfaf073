//! Writes a plan into the configuration file: readable by its owner alone, whole or not at all.

use std::io;
use std::path::Path;

use anyhow::{Context as _, Result, bail};
use toml_edit::DocumentMut;

use super::plan::Naming;
use super::{Existing, Plan};
use crate::config::migrate;

/// The file as it is; empty if it is not there.
pub(crate) fn read(path: &Path) -> Result<DocumentMut> {
    // The parser's own message shows lines of the file, and a key may stand in one.
    match text(path)?.parse() {
        Ok(document) => Ok(document),
        Err(_) => bail!("{} is no TOML; mend it first, `finch config check` says where", path.display()),
    }
}

/// Puts the plan into the file, carried over from the earlier program first if it has to be.
pub(crate) fn save(path: &Path, plan: &Plan, naming: Naming) -> Result<()> {
    // A file that is a link stays one.
    let path = std::fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    if Existing::of(&read(&path)?).is_earlier {
        migrate::apply(&path)?;
    }
    let before = text(&path)?;
    let mut document = read(&path)?;
    plan.put_into(&mut document, naming)?;
    let mut after = document.to_string();
    if after == before {
        return tighten(&path).with_context(|| format!("setting the rights of {}", path.display()));
    }
    if before.is_empty() {
        after = migrate::with_schema_line(&format!("\n{}", after.trim_start()));
    }
    finch_model::home::write_atomic(&path, after.as_bytes()).with_context(|| format!("writing {}", path.display()))
}

/// The file as it would be with this plan in it. Writes nothing.
pub(super) fn preview(path: &Path, plan: &Plan) -> Result<String> {
    let text = text(path)?;
    let text = migrate::rewritten(&text)?.unwrap_or(text);
    let Ok(mut document) = text.parse::<DocumentMut>() else { bail!("{} is no TOML", path.display()) };
    plan.put_into(&mut document, Naming::Understood)?;
    Ok(document.to_string())
}

fn text(path: &Path) -> Result<String> {
    match std::fs::read_to_string(path) {
        Ok(text) => Ok(text),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(String::new()),
        Err(error) => Err(error).with_context(|| format!("reading {}", path.display())),
    }
}

/// Takes the file from everybody but its owner: it may hold keys.
#[cfg(unix)]
fn tighten(path: &Path) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    let mode = match std::fs::metadata(path) {
        Ok(metadata) => metadata.permissions().mode(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    if mode & 0o077 == 0 {
        return Ok(());
    }
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600))
}

/// A file in the user's folder belongs to the user there.
#[cfg(not(unix))]
fn tighten(_path: &Path) -> io::Result<()> {
    Ok(())
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use std::fs::{self, Permissions};
    use std::os::unix::fs::PermissionsExt as _;

    use super::super::Clouds;
    use super::*;

    const PLAN: fn() -> Plan = || Plan { model: "m".into(), clouds: Clouds::Off };

    /// The file with this content and mode, saved to; its content and mode afterwards.
    fn saved(content: Option<&str>, mode: u32, naming: Naming) -> (String, u32) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("config.toml");
        if let Some(content) = content {
            fs::write(&path, content).unwrap();
            fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
        }
        save(&path, &PLAN(), naming).unwrap();
        (fs::read_to_string(&path).unwrap(), fs::metadata(&path).unwrap().permissions().mode() & 0o777)
    }

    #[test]
    fn a_new_file_names_its_schema_and_is_its_owners_alone() {
        let (text, mode) = saved(None, 0, Naming::Named);
        let (first, rest) = text.split_once('\n').unwrap();
        assert!(first.starts_with("#:schema https://") && first.ends_with("/schemas/config.json"), "{first}");
        assert_eq!((rest, mode), ("\n[engine]\nmodel = \"m\"\n\n[router]\npolicy = \"local-only\"\n", 0o600));
    }

    #[test]
    fn a_file_is_taken_from_everybody_else_whether_it_changes_or_not() {
        let same = "[router]\npolicy = \"local-only\"\n";
        assert_eq!(saved(Some(same), 0o644, Naming::Understood), (same.to_owned(), 0o600));
        let changed = same.replace("only", "first");
        assert_eq!(saved(Some(&changed), 0o664, Naming::Understood), (same.to_owned(), 0o600));
        assert_eq!(saved(Some(same), 0o400, Naming::Understood), (same.to_owned(), 0o400));
    }

    #[test]
    fn without_anything_to_write_no_file_is_made() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("config.toml");
        save(&path, &Plan { clouds: Clouds::None, ..PLAN() }, Naming::Understood).unwrap();
        assert!(!path.exists());
    }

    #[test]
    fn a_link_to_a_file_elsewhere_stays_one() {
        let folder = tempfile::tempdir().unwrap();
        let (path, target) = (folder.path().join("config.toml"), folder.path().join("dotfiles.toml"));
        fs::write(&target, "").unwrap();
        std::os::unix::fs::symlink(&target, &path).unwrap();
        save(&path, &PLAN(), Naming::Named).unwrap();
        assert!(path.is_symlink() && fs::read_to_string(&target).unwrap().contains("model = \"m\""));
    }

    #[test]
    fn a_file_of_the_earlier_program_is_carried_over_first() {
        let old = "# mine\n[[teachers]]\nprovider = \"claude\"\napi_key = \"k\"\n";
        let (text, mode) = saved(Some(old), 0o644, Naming::Named);
        assert!(text.contains("# mine") && text.contains("[[providers]]") && !text.contains("teachers"), "{text}");
        assert!(text.contains("model = \"m\"") && mode == 0o600, "{text}");
    }

    #[test]
    fn what_cannot_be_understood_is_left_alone() {
        for text in ["api_key = \"secret\n", "engine = 1\n"] {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("config.toml");
            fs::write(&path, text).unwrap();
            let said = format!("{:#}", save(&path, &PLAN(), Naming::Named).unwrap_err());
            assert!(said.contains("first") && !said.contains("secret"), "{said}");
            assert_eq!(fs::read_to_string(&path).unwrap(), text);
        }
    }
}
