//! Mistakes in the syntax of a pipeline file are told where they are, not where they were noticed.

use std::path::Path;

use insta::assert_snapshot;
use standpoint_config::{Environment, PipelineFile};

fn mistakes(text: &str) -> String {
    let none = Environment::empty();
    let read = PipelineFile::parse(text, "pipeline.yaml", Path::new(""), &none, &[]);
    read.map_or_else(|found| found.to_string(), |_| String::new())
}

#[test]
fn a_mistake_is_shown_where_it_is() {
    let cases = [
        "version: 1\nstages: [tokenise, entity\nsinks:\n  a: { type: stdout }\n",
        "version: 1\nsinks: { a: { type: stdout }\nstages: [tokenise]\n",
        "version: 1\nstages:\n  - use: stance\n    with: { target: Russia\n  - entity\n",
        "version: 1\nstages: [tokenise",
        "version: 1\nstages:\n  - tokenise\n\t- entity\n",
        "version: 1\nstages:\n  - use: tokenise\n\tid: words\n",
        "version: 1\n\tname: x\nstages: [tokenise]\n",
        "version: 1\nname: \"x\nstages: [tokenise]\n",
        "version: 1\nstages: [tokenise]]\n",
        "version: 1\nstages:\n  - tokenise\n - entity\n",
        "version: 1\nname x\nstages: [tokenise]\n",
        // A tab that is no indentation, or that stands in a line that was not read yet, is
        // innocent.
        "version: 1\nstages: [tokenise]\n\t\nname x\n",
        "version: 1\nstages: [tokenise]]\n\tname: x\n",
        // The bracket is closed.
        "version: 1\nstages: [\n- tokenise\n]\n",
        "version: 1\nstages: [tokenise,\nentity]]\n",
        "version: 1\nstages: [tokenise,\nentity: :]\n",
        "version: 1\nstages: [tokenise, entity\nsinks: [a]\n",
    ];
    let found: Vec<String> = cases.iter().map(|case| mistakes(case)).collect();
    assert_snapshot!(found.join("\n"), @r#"
    pipeline.yaml:2:9: error: not valid YAML: this `[` is not closed
      2 | stages: [tokenise, entity
        |         ^
        = help: put `]` behind its last item
    pipeline.yaml:2:8: error: not valid YAML: this `{` is not closed
      2 | sinks: { a: { type: stdout }
        |        ^
        = help: put `}` behind its last item
    pipeline.yaml:4:11: error: not valid YAML: this `{` is not closed
      4 |     with: { target: Russia
        |           ^
        = help: put `}` behind its last item
    pipeline.yaml:2:9: error: not valid YAML: this `[` is not closed
      2 | stages: [tokenise
        |         ^
        = help: put `]` behind its last item
    pipeline.yaml:4:1: error: not valid YAML: this line is indented with a tab
      4 |  - entity
        | ^
        = help: YAML is indented with spaces, never with tabs
    pipeline.yaml:4:1: error: not valid YAML: this line is indented with a tab
      4 |  id: words
        | ^
        = help: YAML is indented with spaces, never with tabs
    pipeline.yaml:2:1: error: not valid YAML: this line is indented with a tab
      2 |  name: x
        | ^
        = help: YAML is indented with spaces, never with tabs
    pipeline.yaml:2:7: error: not valid YAML: invalid indentation in quoted scalar
      2 | name: "x
        |       ^
    pipeline.yaml:2:19: error: not valid YAML: misplaced bracket
      2 | stages: [tokenise]]
        |                   ^
    pipeline.yaml:4:2: error: not valid YAML: while parsing a block mapping, did not find expected key
      4 |  - entity
        |  ^
        = help: keys and items of one map or list begin in the same column
    pipeline.yaml:2:1: error: not valid YAML: a key and a value need `: ` between them
      2 | name x
        | ^
    pipeline.yaml:4:1: error: not valid YAML: a key and a value need `: ` between them
      4 | name x
        | ^
    pipeline.yaml:2:19: error: not valid YAML: misplaced bracket
      2 | stages: [tokenise]]
        |                   ^
    pipeline.yaml:3:1: error: not valid YAML: this line is inside the `[` of line 2 and not indented
      3 | - tokenise
        | ^
        = help: indent it further than line 2
    pipeline.yaml:3:1: error: not valid YAML: this line is inside the `[` of line 2 and not indented
      3 | entity]]
        | ^
        = help: indent it further than line 2
    pipeline.yaml:3:1: error: not valid YAML: this line is inside the `[` of line 2 and not indented
      3 | entity: :]
        | ^
        = help: indent it further than line 2
    pipeline.yaml:2:9: error: not valid YAML: this `[` is not closed
      2 | stages: [tokenise, entity
        |         ^
        = help: put `]` behind its last item
    "#);
}

#[test]
fn the_bracket_that_is_not_closed_is_blamed_and_not_the_one_around_it() {
    let cases = [
        "version: 1\nstages: [tokenise, { use: stance, with: { target: Russia }]\nname: x\n",
        "version: 1\nstages: [tokenise, { use: stance, with: { target: Russia }]\n",
        "version: 1\nstages:\n  - { use: stance, with: { targets: [Russia, China }\n  - entity\n",
        "version: 1\nstages: [{ use: tokenise, when: \"length > '}'\" # }\n]\n",
        "version: 1\nstages: [tokenise, { use: it's },\nentity: :]\n",
    ];
    let found: Vec<String> = cases.iter().map(|case| mistakes(case)).collect();
    assert_snapshot!(found.join("\n"), @r#"
    pipeline.yaml:2:20: error: not valid YAML: this `{` is not closed
      2 | stages: [tokenise, { use: stance, with: { target: Russia }]
        |                    ^
        = help: put `}` behind its last item
    pipeline.yaml:2:20: error: not valid YAML: this `{` is not closed
      2 | stages: [tokenise, { use: stance, with: { target: Russia }]
        |                    ^
        = help: put `}` behind its last item
    pipeline.yaml:3:37: error: not valid YAML: this `[` is not closed
      3 |   - { use: stance, with: { targets: [Russia, China }
        |                                     ^
        = help: put `]` behind its last item
    pipeline.yaml:2:10: error: not valid YAML: this `{` is not closed
      2 | stages: [{ use: tokenise, when: "length > '}'" # }
        |          ^
        = help: put `}` behind its last item
    pipeline.yaml:3:1: error: not valid YAML: this line is inside the `[` of line 2 and not indented
      3 | entity: :]
        | ^
        = help: indent it further than line 2
    "#);
}
