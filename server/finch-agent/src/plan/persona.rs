//! Who attacks a plan: seven ways of looking at it, each with questions of its own.

/// A way of looking at a plan. Each is asked apart, and sees nothing of what the others say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Persona {
    Regression,
    Security,
    Architecture,
    EdgeCases,
    Completeness,
    TestsAndDocs,
    ScopeAndHygiene,
}

impl Persona {
    pub const ALL: [Self; 7] = [
        Self::Regression,
        Self::Security,
        Self::Architecture,
        Self::EdgeCases,
        Self::Completeness,
        Self::TestsAndDocs,
        Self::ScopeAndHygiene,
    ];

    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Regression => "Regression",
            Self::Security => "Security",
            Self::Architecture => "Architecture",
            Self::EdgeCases => "Edge Cases",
            Self::Completeness => "Completeness",
            Self::TestsAndDocs => "Tests & Docs",
            Self::ScopeAndHygiene => "Scope & Hygiene",
        }
    }

    /// What it asks of a plan.
    pub(super) fn questions(self) -> &'static str {
        match self {
            Self::Regression => {
                "Which existing behaviour breaks? Look at callers of what is changed, shared types, stored data, tests that \
                 pass today, and errors that would now travel further."
            }
            Self::Security => {
                "What can an attacker do with this? Look at input from outside, paths, commands, secrets, permissions, \
                 network, and what is logged."
            }
            Self::Architecture => {
                "Does it fit the code that is there? Look at layers, ownership, duplicated logic, new dependencies, names, and \
                 whether something simpler would do."
            }
            Self::EdgeCases => {
                "Which input or moment was forgotten? Look at empty, huge and broken input, cancellation, concurrency, missing \
                 files, a full disk, no network, other platforms."
            }
            Self::Completeness => {
                "Could somebody else carry this out as it stands? Look for steps that are vague, files that are not named, an \
                 order that does not build in between, and parts of the task that no step does."
            }
            Self::TestsAndDocs => {
                "How would one know that it works? Look for a test that fails before and passes after, for every step's check, \
                 and for documents and a changelog that would no longer be true."
            }
            Self::ScopeAndHygiene => {
                "What does it do that nobody asked for? Look for unrelated changes, stray files, generated output, commits that \
                 mix concerns, and work that could be left out."
            }
        }
    }
}
