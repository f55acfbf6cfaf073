//! Which nodes of which grammar mean what. Tables only: the code that reads them stands beside them.

use super::{DefinitionKind, Language};

/// How the definitions of one grammar are found.
#[derive(Debug)]
pub(super) struct Tables {
    pub(super) definitions: &'static [DefinitionRule],
    /// Nodes under which definitions stand.
    pub(super) entered: &'static [&'static str],
    /// Nodes whose members belong to a type, and the field that holds the type.
    pub(super) owners: &'static [(&'static str, &'static str)],
    /// Nodes that only decorate or introduce a definition.
    pub(super) wrappers: &'static [&'static str],
    /// Values that make a function of a constant.
    pub(super) functions: &'static [&'static str],
    /// Statements that import.
    pub(super) imports: &'static [&'static str],
}

#[derive(Debug)]
pub(super) struct DefinitionRule {
    pub(super) node: &'static str,
    pub(super) kind: DefinitionKind,
    pub(super) name: Name,
    pub(super) shows: Shows,
}

/// Where the name of a definition stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Name {
    /// In the field `name`.
    Field,
    /// In the field `left` of an assignment.
    Left,
    /// Within declarators of C's kind.
    Declarator,
    /// First in a list of variables.
    FirstVariable,
}

/// How much of a definition tells how it is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shows {
    /// What stands before its body.
    Head,
    Whole,
}

impl Tables {
    pub(super) fn of(language: Language) -> &'static Self {
        match language {
            Language::C => &C,
            Language::Go => &GO,
            Language::Java => &JAVA,
            Language::JavaScript | Language::TypeScript | Language::Tsx => &SCRIPT,
            Language::Lua => &LUA,
            Language::Python => &PYTHON,
            Language::Rust => &RUST,
            Language::Css | Language::Html | Language::Json => &NONE,
        }
    }
}

const fn function(node: &'static str) -> DefinitionRule {
    DefinitionRule { node, kind: DefinitionKind::Function, name: Name::Field, shows: Shows::Head }
}

/// A type whose members are definitions of their own.
const fn class(node: &'static str) -> DefinitionRule {
    DefinitionRule { node, kind: DefinitionKind::Type, name: Name::Field, shows: Shows::Head }
}

/// A type that is known by its fields.
const fn record(node: &'static str) -> DefinitionRule {
    DefinitionRule { node, kind: DefinitionKind::Type, name: Name::Field, shows: Shows::Whole }
}

const fn constant(node: &'static str) -> DefinitionRule {
    DefinitionRule { node, kind: DefinitionKind::Constant, name: Name::Field, shows: Shows::Whole }
}

impl DefinitionRule {
    const fn named(self, name: Name) -> Self {
        Self { name, ..self }
    }
}

static NONE: Tables =
    Tables { definitions: &[], entered: &[], owners: &[], wrappers: &[], functions: &[], imports: &[] };

static RUST: Tables = Tables {
    definitions: &[
        function("function_item"),
        function("function_signature_item"),
        function("macro_definition"),
        class("trait_item"),
        record("struct_item"),
        record("enum_item"),
        record("union_item"),
        record("type_item"),
        constant("const_item"),
        constant("static_item"),
    ],
    entered: &["declaration_list", "impl_item", "trait_item", "mod_item", "foreign_mod_item"],
    owners: &[("impl_item", "type"), ("trait_item", "name")],
    wrappers: &[],
    functions: &[],
    imports: &["use_declaration"],
};

static PYTHON: Tables = Tables {
    definitions: &[
        function("function_definition"),
        class("class_definition"),
        record("type_alias_statement").named(Name::Left),
        constant("assignment").named(Name::Left),
    ],
    entered: &[
        "block",
        "class_definition",
        "decorated_definition",
        "expression_statement",
        "try_statement",
        "except_clause",
    ],
    owners: &[("class_definition", "name")],
    wrappers: &["decorated_definition"],
    functions: &[],
    imports: &["import_statement", "import_from_statement"],
};

static SCRIPT: Tables = Tables {
    definitions: &[
        function("function_declaration"),
        function("generator_function_declaration"),
        function("function_signature"),
        function("method_definition"),
        function("abstract_method_signature"),
        class("class_declaration"),
        class("abstract_class_declaration"),
        record("interface_declaration"),
        record("type_alias_declaration"),
        record("enum_declaration"),
        constant("variable_declarator"),
        constant("public_field_definition"),
    ],
    entered: &[
        "export_statement",
        "ambient_declaration",
        "lexical_declaration",
        "variable_declaration",
        "class_declaration",
        "abstract_class_declaration",
        "class_body",
        "expression_statement",
        "internal_module",
        "module",
        "statement_block",
    ],
    owners: &[("class_declaration", "name"), ("abstract_class_declaration", "name")],
    wrappers: &["export_statement", "ambient_declaration", "lexical_declaration", "variable_declaration"],
    functions: &["arrow_function", "function_expression", "generator_function"],
    imports: &["import_statement"],
};

static GO: Tables = Tables {
    definitions: &[
        function("function_declaration"),
        function("method_declaration"),
        record("type_spec"),
        record("type_alias"),
        constant("const_spec"),
        constant("var_spec"),
    ],
    entered: &["type_declaration", "const_declaration", "var_declaration", "var_spec_list"],
    owners: &[],
    wrappers: &["type_declaration", "const_declaration", "var_declaration"],
    functions: &[],
    imports: &["import_spec"],
};

static C: Tables = Tables {
    definitions: &[
        function("function_definition").named(Name::Declarator),
        constant("declaration").named(Name::Declarator),
        record("type_definition").named(Name::Declarator),
        record("struct_specifier"),
        record("enum_specifier"),
        record("union_specifier"),
        constant("preproc_def"),
        DefinitionRule {
            node: "preproc_function_def",
            kind: DefinitionKind::Function,
            name: Name::Field,
            shows: Shows::Whole,
        },
    ],
    entered: &[
        "preproc_if",
        "preproc_ifdef",
        "preproc_else",
        "preproc_elif",
        "linkage_specification",
        "declaration_list",
    ],
    owners: &[],
    wrappers: &[],
    functions: &[],
    imports: &["preproc_include"],
};

static JAVA: Tables = Tables {
    definitions: &[
        function("method_declaration"),
        function("constructor_declaration"),
        class("class_declaration"),
        class("interface_declaration"),
        class("record_declaration"),
        class("annotation_type_declaration"),
        record("enum_declaration"),
        constant("field_declaration").named(Name::Declarator),
    ],
    entered: &["class_declaration", "class_body", "interface_declaration", "interface_body", "record_declaration"],
    owners: &[("class_declaration", "name"), ("interface_declaration", "name"), ("record_declaration", "name")],
    wrappers: &[],
    functions: &[],
    imports: &["import_declaration"],
};

static LUA: Tables = Tables {
    definitions: &[function("function_declaration"), constant("assignment_statement").named(Name::FirstVariable)],
    entered: &["variable_declaration"],
    owners: &[],
    wrappers: &["variable_declaration"],
    functions: &[],
    imports: &[],
};
