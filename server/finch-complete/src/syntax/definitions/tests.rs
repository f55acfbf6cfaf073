use super::*;
use crate::Language;

/// One line for each definition: its kind, its owner and name, and its signature.
#[track_caller]
fn check(language: Language, text: &str, expected: &[&str]) {
    let syntax = Syntax::parse(language, text).expect("it is short");
    let found: Vec<String> = syntax.definitions().iter().map(shown).collect();
    assert_eq!(found, expected);
}

fn shown(definition: &Definition) -> String {
    let kind = match definition.kind {
        DefinitionKind::Function => "function",
        DefinitionKind::Type => "type",
        DefinitionKind::Constant => "constant",
    };
    let owner = definition.owner.as_ref().map(|owner| format!("{owner}.")).unwrap_or_default();
    format!("{kind} {owner}{}: {}", definition.name, definition.signature)
}

#[test]
fn rust_items_are_found_with_their_signatures() {
    check(
        Language::Rust,
        "pub const MAX: usize = 3;\n\
         /// A point.\n#[derive(Debug)]\npub struct Point<T> {\n    pub x: T,\n}\n\
         impl<T> Point<T> {\n    pub fn new(x: T) -> Self {\n        fn inner() {}\n        Self { x }\n    }\n}\n\
         pub trait Shape: Sized {\n    const SIDES: u8;\n    fn area(&self) -> f64;\n}\n\
         mod deep {\n    pub(crate) enum Way {\n        In,\n        Out,\n    }\n}\n\
         pub async fn run(\n    way: deep::Way,\n) -> Result<(), Error>\nwhere\n    Way: Copy,\n{\n    loop {}\n}\n",
        &[
            "constant MAX: pub const MAX: usize = 3;",
            "type Point: pub struct Point<T> {\n    pub x: T,\n}",
            "function Point.new: pub fn new(x: T) -> Self",
            "type Shape: pub trait Shape: Sized",
            "constant Shape.SIDES: const SIDES: u8;",
            "function Shape.area: fn area(&self) -> f64;",
            "type Way: pub(crate) enum Way {\n    In,\n    Out,\n}",
            "function run: pub async fn run(\n    way: deep::Way,\n) -> Result<(), Error>\nwhere\n    Way: Copy,",
        ],
    );
}

#[test]
fn python_definitions_are_found_with_their_decorators() {
    check(
        Language::Python,
        "LIMIT = 3\n\n\n@dataclass\nclass Point(Base):\n    x: int = 0\n\n    @property\n    def norm(self) -> float:\n        \
         inner = 1\n        return self.x\n\n\nasync def main(argv: list[str]) -> int:\n    return 0\n",
        &[
            "constant LIMIT: LIMIT = 3",
            "type Point: @dataclass\nclass Point(Base):",
            "constant Point.x: x: int = 0",
            "function Point.norm: @property\ndef norm(self) -> float:",
            "function main: async def main(argv: list[str]) -> int:",
        ],
    );
}

#[test]
fn typescript_definitions_are_found_exported_or_not() {
    check(
        Language::TypeScript,
        "export interface Point {\n  x: number;\n}\n\
         type Id = string | number;\nexport enum Way { In, Out }\n\
         export const LIMIT = 3, OTHER = 4;\n\
         export const scale = (p: Point, by: number): Point => {\n  const inner = 1;\n  return p;\n};\n\
         export default class Shape<T> extends Base {\n  private size = 1;\n  constructor(private x: T) {\n    super();\n  }\n\
         \x20 async area(): Promise<number> {\n    return 1;\n  }\n}\n\
         function plain(a?: string) {\n  return a;\n}\n",
        &[
            "type Point: export interface Point {\n  x: number;\n}",
            "type Id: type Id = string | number;",
            "type Way: export enum Way { In, Out }",
            "constant LIMIT: LIMIT = 3",
            "constant OTHER: OTHER = 4",
            "function scale: export const scale = (p: Point, by: number): Point =>",
            "type Shape: export default class Shape<T> extends Base",
            "constant Shape.size: private size = 1",
            "function Shape.constructor: constructor(private x: T)",
            "function Shape.area: async area(): Promise<number>",
            "function plain: function plain(a?: string)",
        ],
    );
}

#[test]
fn go_methods_belong_to_their_receivers() {
    check(
        Language::Go,
        "package p\n\nconst Limit = 3\n\nvar (\n\ta = 1\n\tb = 2\n)\n\ntype Point struct {\n\tX int\n}\n\n\
         func (p *Point) Norm() (float64, error) {\n\treturn 0, nil\n}\n\nfunc New[T any](x T) *Point {\n\treturn nil\n}\n",
        &[
            "constant Limit: const Limit = 3",
            "constant a: a = 1",
            "constant b: b = 2",
            "type Point: type Point struct {\n\tX int\n}",
            "function Point.Norm: func (p *Point) Norm() (float64, error)",
            "function New: func New[T any](x T) *Point",
        ],
    );
}

#[test]
fn the_definitions_of_other_languages_are_found_too() {
    check(
        Language::C,
        "#define LIMIT 3\nstruct point { int x; };\ntypedef struct point point_t;\nint norm(const point_t *p);\n\
         static const char *name = \"a\";\nchar *label(int n) {\n    int inner = 0;\n    return 0;\n}\n",
        &[
            "constant LIMIT: #define LIMIT 3",
            "type point: struct point { int x; }",
            "type point_t: typedef struct point point_t;",
            "function norm: int norm(const point_t *p);",
            "constant name: static const char *name = \"a\";",
            "function label: char *label(int n)",
        ],
    );
    check(
        Language::Java,
        "class Point {\n    private final int x = 0;\n\n    public int norm(int by) {\n        return x;\n    }\n}\n",
        &[
            "type Point: class Point",
            "constant Point.x: private final int x = 0;",
            "function Point.norm: public int norm(int by)",
        ],
    );
    check(
        Language::Lua,
        "local limit = 3\nlocal function norm(p)\n  return 0\nend\nfunction M.scale(p, by)\n  return p\nend\n",
        &[
            "constant limit: local limit = 3",
            "function norm: local function norm(p)",
            "function scale: function M.scale(p, by)",
        ],
    );
    check(Language::Json, "{\"a\": 1}", &[]);
}

#[test]
fn a_document_that_is_broken_in_one_place_still_tells_the_rest() {
    check(
        Language::Python,
        "def one(a):\n    return a\n\ndef two(\n\ndef three(c):\n    return c\n",
        &["function one: def one(a):", "function three: def three(c):"],
    );
}

#[test]
fn a_signature_has_bounds() {
    let long = format!("const A: &[u8] = &[\n{}];\n", "    1, 2, 3, 4,\n".repeat(100));
    let definitions = Syntax::parse(Language::Rust, &long).expect("it is short").definitions();
    assert_eq!(definitions[0].signature.lines().count(), SIGNATURE_LINES_MAX);
    let wide = format!("const A: &str = \"{}\";", "é".repeat(1_000));
    let definitions = Syntax::parse(Language::Rust, &wide).expect("it is short").definitions();
    assert!(definitions[0].signature.len() <= SIGNATURE_BYTES_MAX);
}

#[test]
fn modules_in_modules_are_followed_so_far() {
    let depth = 3_000;
    let text = "mod a { ".repeat(depth) + "fn f() {}" + &" }".repeat(depth);
    let syntax = Syntax::parse(Language::Rust, &text);
    assert!(syntax.is_none_or(|syntax| syntax.definitions().is_empty()));
}
