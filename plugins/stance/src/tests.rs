//! The stage as a whole, on sentences of our own with entities given by hand.

use proptest::prelude::*;
use serde_json::json;
use standpoint_document::{
    Aliases, Annotation, Document, Entity, EntityKind, Metadata, Span, StanceLabel, Time, Voice,
    layers, mention,
};
use standpoint_stage::testing::{check_settings_schema, process, tokenised};

use super::*;

mod speakers;

/// Name, id, kind, and whether it speaks for the state of its id's first three letters.
const KNOWN: &[(&str, &str, EntityKind, bool)] = &[
    ("Russia", "RUS", EntityKind::Country, true),
    ("Moscow", "RUS", EntityKind::Country, true),
    ("Putin", "RUS.PUTIN", EntityKind::Person, true),
    ("Ukraine", "UKR", EntityKind::Country, true),
    ("Poland", "POL", EntityKind::Country, true),
    ("Belarus", "BLR", EntityKind::Country, true),
    ("Duda", "POL.DUDA", EntityKind::Person, true),
    ("DUDA", "POL.DUDA", EntityKind::Person, true),
    ("Norway", "NOR", EntityKind::Country, true),
    ("China", "CHN", EntityKind::Country, true),
    ("Larina", "name:vera-larina", EntityKind::Person, false),
    ("Lukoil", "RUS.LUKOIL", EntityKind::Organisation, false),
    ("Russians", "RUS.PEOPLE", EntityKind::Group, false),
    ("Russian", "RUS", EntityKind::Country, true),
];

fn document(text: &str, author: Option<&str>) -> Document<'static> {
    let metadata = Metadata { author: author.map(str::to_owned), ..Metadata::default() };
    let mut document = tokenised(text).with_metadata(metadata);
    let mut entities: Vec<Entity> = Vec::new();
    let mut mentions = Vec::new();
    for token in document.tokens() {
        let surface = document.slice(token.span);
        let Some(&(name, id, kind, speaks)) = KNOWN.iter().find(|known| known.0 == surface) else {
            continue;
        };
        let link = entities.iter().position(|entity| entity.id == id).unwrap_or_else(|| {
            let state = if speaks { &id[..3] } else { "RUS" };
            entities.push(Entity {
                id: id.to_owned(),
                name: name.to_owned(),
                kind,
                country: Some(state.to_owned()),
                speaks_for_country: speaks,
                aliases: Aliases::new(),
            });
            entities.len() - 1
        });
        let flags = match surface {
            "Russians" => mention::DEMONYM,
            "Russian" => mention::DEMONYM | mention::NOT_AN_ACTOR,
            _ => 0,
        };
        mentions.push(
            Annotation::new(token.span)
                .with_label(kind.code())
                .with_score(1.0)
                .with_flags(flags)
                .with_link(link as u32),
        );
    }
    document.set_entities(mentions, entities).unwrap();
    document
}

fn stage(settings: StanceSettings) -> StanceStage {
    let context = StartContext { stage: "stance".to_owned(), pipeline_dir: ".".into() };
    StanceStage::start(settings, &context).unwrap()
}

fn judged(text: &str) -> Document<'static> {
    let mut document = document(text, None);
    process(&stage(StanceSettings::default()), &mut document).unwrap();
    document
}

/// The label of an actor, or of the author under `author`; `None` when it is not listed.
fn label_of(document: &Document<'_>, id: &str) -> Option<StanceLabel> {
    let found = &document.stance()[0];
    let stance = if id == "author" {
        found.author.as_ref()
    } else {
        found.actors.iter().find(|actor| actor.id == id).map(|actor| &actor.stance)
    };
    stance.map(standpoint_document::Stance::label)
}

#[test]
fn keeps_to_what_every_stage_must() {
    standpoint_stage::conformance::assert_conforms::<StanceStage>();
}

#[test]
fn the_schema_file_is_current() {
    check_settings_schema::<StanceStage>(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/settings.schema.json"
    ));
}

#[test]
fn sentences_show_who_stands_where() {
    use StanceLabel::{Opposed, Supportive};
    let cases = [
        ("verb", "Poland condemned Russia on Monday.", "POL", Some(Opposed)),
        ("praise", "Belarus praised Russia on Monday.", "BLR", Some(Supportive)),
        ("direction", "Russia condemned Poland on Monday.", "POL", None),
        ("refusal", "Norway has refused to support Russia.", "NOR", Some(Opposed)),
        ("negation", "Norway did not condemn Russia.", "NOR", None),
        ("metonym", "Poland sharply criticised Moscow.", "POL", Some(Opposed)),
        ("leader", "Poland denounced Putin.", "POL", Some(Opposed)),
        ("passive", "Russia was condemned by Norway.", "NOR", Some(Opposed)),
        ("joint", "Poland and Norway condemned Russia.", "NOR", Some(Opposed)),
        ("relation", "Belarus is Russia's closest ally.", "BLR", Some(Supportive)),
        ("sanctions", "Norway imposed sanctions on Russia.", "NOR", Some(Opposed)),
        ("condition", "If Norway were to condemn Russia, prices would rise.", "NOR", None),
        ("wish", "Poland urged Norway to condemn Russia.", "NOR", None),
        ("promise", "Poland vowed to punish Russia.", "POL", Some(Opposed)),
        ("list", "Ministers of Norway, China and Russia arrived.", "CHN", None),
        ("dissident", "Larina condemned Russia.", "name:vera-larina", Some(Opposed)),
        ("distance", "Norway reduced its dependence on Russia.", "NOR", Some(Opposed)),
    ];
    for (case, text, id, expected) in cases {
        let document = judged(text);
        let found = label_of(&document, id).filter(|&label| label != StanceLabel::Neutral);
        assert_eq!(found, expected, "{case}: {text}");
    }
}

#[test]
fn measures_against_people_and_firms_are_meant_for_their_state() {
    use StanceLabel::{Opposed, Supportive};
    let cases = [
        ("Norway froze the assets of several Russian oligarchs.", "NOR", Some(Opposed)),
        ("Poland banned Russian citizens from entering.", "POL", Some(Opposed)),
        ("Norway closed its border to Russians.", "NOR", Some(Opposed)),
        ("Norway imposed sanctions on Lukoil.", "NOR", Some(Opposed)),
        ("Norway blacklisted Lukoil on Monday.", "NOR", Some(Opposed)),
        ("Norway lifted sanctions on Lukoil.", "NOR", Some(Supportive)),
        ("Lukoil was sanctioned by Poland.", "POL", Some(Opposed)),
        // What is no measure says nothing of their state.
        ("Norway mourned Russian sailors.", "NOR", None),
        ("Norway criticised Lukoil.", "NOR", None),
        ("Poland thanked Russian activists.", "POL", None),
        ("Norway closed ranks with Russian dissidents.", "NOR", None),
        ("Norway closed a contract with Lukoil.", "NOR", None),
        ("Norway refused to talk to Russian journalists.", "NOR", None),
        ("Norway banned discrimination against Russians.", "NOR", None),
        ("Norway sanctioned officials who jailed Russian activists.", "NOR", None),
        ("Norway lifted restrictions on Russian dissidents.", "NOR", None),
        // Nor do measures of the state's own, or those that are only thought of.
        ("Lukoil banned Russian journalists.", "RUS.LUKOIL", None),
        ("Norway could ban Russian athletes.", "NOR", None),
        ("China criticised Norway for banning Lukoil.", "CHN", None),
    ];
    for (text, id, expected) in cases {
        assert_eq!(label_of(&judged(text), id), expected, "{text}");
    }
}

#[test]
fn whoever_a_joint_statement_names_in_its_title_speaks_in_it() {
    let joint = |title: &str| {
        let mut document = document("We condemn Russia.\nNorway and Poland met.", Some("NOR"));
        let metadata = Metadata { title: Some(title.into()), ..document.metadata().clone() };
        document = document.with_metadata(metadata);
        process(&stage(StanceSettings::default()), &mut document).unwrap();
        label_of(&document, "POL")
    };
    assert_eq!(joint("Joint Statement by Norway and Poland"), Some(StanceLabel::Opposed));
    for about in ["by Norway on Poland", "on arms for Russia by Poland", "in support of Poland"] {
        assert_eq!(joint(&format!("Joint Statement {about}")), None, "{about}");
    }
    assert_eq!(joint("Statement by Norway on Poland"), None);
    assert_eq!(joint("Joint Statement by Norway and the Polanders"), None);
}

#[test]
fn neural_judgement_needs_vectors_and_says_when_there_are_none() {
    let settings = StanceSettings { judge: JudgeKind::Neural, ..StanceSettings::default() };
    let mut document = document("Poland condemned Russia.", None);
    process(&stage(settings), &mut document).unwrap();
    assert_eq!(label_of(&document, "POL"), Some(StanceLabel::Opposed), "the rules go on alone");
    assert_eq!(
        document.notes(),
        ["stance: judged by rules alone, for no stage `encode` wrote vectors"]
    );
}

#[test]
fn who_makes_war_is_opposed_and_so_is_whoever_arms_the_other_side() {
    let war = "Russia launched its invasion of Ukraine.\nRussia's war on Ukraine goes on.\n\
               Poland supplied weapons to Ukraine.";
    let opposed = Some(StanceLabel::Opposed);
    for (more, of_ukraine) in [
        ("Ukraine defended its capital.", opposed),
        ("It is the fourth year of Ukraine's brave fight.", opposed),
        ("We help Ukraine to resist.", opposed),
        // What is done to somebody is no stance of his, nor is what others do for him.
        ("The war goes on.", None),
        ("Nobody came to defend Ukraine.", None),
        ("Ukraine's Ministry of Defence was hit.", None),
    ] {
        let document = judged(&format!("{war}\n{more}"));
        assert_eq!(label_of(&document, "UKR"), of_ukraine, "{more}");
        assert_eq!(label_of(&document, "POL"), opposed, "{more}");
    }
}

#[test]
fn whoever_is_accused_of_a_deed_has_done_it_by_report_alone() {
    let document = judged("Poland accused Norway of arming Russia.");
    let norway = &document.stance()[0].actors.iter().find(|actor| actor.id == "NOR").unwrap();
    let [evidence] = &*norway.stance.evidence else { panic!("{norway:?}") };
    assert_eq!(evidence.voice, Voice::Reported);
}

#[test]
fn blame_without_a_name_is_not_for_whoever_is_attacked() {
    let settings = StanceSettings { target: Some("Norway".into()), ..StanceSettings::default() };
    let blame = "Poland condemned the bombing.";
    let bombs = "Norway bombed a port. Norway spoke of an error.";
    for (before, blame, expected) in [
        (bombs, blame, Some(StanceLabel::Opposed)),
        (bombs, "Poland expelled the consul.", Some(StanceLabel::Opposed)),
        (bombs, "Poland expelled diplomats.", Some(StanceLabel::Opposed)),
        (bombs, "Poland condemned attacks on ports.", Some(StanceLabel::Opposed)),
        // Nobody spoke of these.
        (bombs, "Poland rejected oranges.", None),
        (bombs, "Poland banned plastic bags.", None),
        // Of these nobody knows whom they mean.
        (bombs, "Poland left at least three men dead.", None),
        (bombs, "Poland will reduce its budget.", None),
        ("Russia bombed Norway. Norway spoke of a crime.", blame, None),
        ("We stand by Norway.\nWe praise Norway.", blame, None),
    ] {
        let mut document = document(&format!("{before}\n{blame}"), None);
        process(&stage(settings.clone()), &mut document).unwrap();
        assert_eq!(label_of(&document, "POL"), expected, "{before} {blame}");
    }
}

#[test]
fn the_author_is_a_holder_of_its_own() {
    let mut speech =
        document("We strongly condemn Russia's brutal invasion of Ukraine.", Some("NOR"));
    process(&stage(StanceSettings::default()), &mut speech).unwrap();
    assert_eq!(label_of(&speech, "author"), Some(StanceLabel::Opposed));

    let mut own = document("We strongly condemn Russia's brutal invasion of Ukraine.", Some("RUS"));
    process(&stage(StanceSettings::default()), &mut own).unwrap();
    assert_eq!(label_of(&own, "author"), None, "the target takes no stance toward itself");
}

#[test]
fn a_repeated_sentence_counts_once() {
    let sentence = "Poland condemned Russia on Monday.";
    let once = judged(sentence);
    let thrice = judged(&[sentence; 3].join("\n"));
    let stance = |document: &Document<'_>| document.stance()[0].actors[0].stance.clone();
    assert_eq!(stance(&once).score, stance(&thrice).score);
    assert_eq!(stance(&thrice).evidence.len(), 1);
}

#[test]
fn a_state_that_only_its_people_stand_for_has_its_name() {
    let document = judged("Duda condemned Russia on Monday.");
    let poland = document.stance()[0].actors.iter().find(|actor| actor.id == "POL").unwrap();
    assert_eq!(poland.name, "Poland");
}

#[test]
fn every_target_gets_its_entry() {
    let mut document = document("Poland condemned Russia.\nNorway praised China.", None);
    let targets = Some(vec!["Russia".to_owned(), "CHN".to_owned(), "Atlantis".to_owned()]);
    process(&stage(StanceSettings { targets, ..StanceSettings::default() }), &mut document)
        .unwrap();
    let ids: Vec<&str> = document.stance().iter().map(|entry| entry.target.id.as_str()).collect();
    assert_eq!(ids, ["RUS", "CHN", "name:atlantis"]);
    assert!(document.stance()[2].actors.is_empty());
}

#[test]
fn given_pairs_are_answered_in_order_and_number() {
    let mut document = tokenised("Ruritania condemned Zubrowka.");
    document.set_layer(layers::ENTITIES, Vec::new()).unwrap();
    document.set_attribute(
        "standpoint.pairs",
        json!([
            {"holder": {"start": 0, "end": 9}, "target": {"start": 20, "end": 28}},
            {"holder": {"start": 20, "end": 28}, "target": {"start": 0, "end": 9}},
            {"holder": null, "target": {"start": 900, "end": 901}},
            "nonsense",
        ]),
    );
    process(&stage(StanceSettings::default()), &mut document).unwrap();
    let answers = document.attribute("standpoint.pair_judgements").unwrap().as_array().unwrap();
    let labels: Vec<&str> =
        answers.iter().map(|answer| answer["label"].as_str().unwrap()).collect();
    assert_eq!(labels, ["negative", "neutral", "neutral", "neutral"]);
}

#[test]
fn settings_that_cannot_work_are_refused() {
    let context = StartContext { stage: "stance".to_owned(), pipeline_dir: ".".into() };
    let wrong = [
        StanceSettings { minimum_confidence: 2.0, ..StanceSettings::default() },
        StanceSettings { cues: Some("no/such/folder".into()), ..StanceSettings::default() },
        StanceSettings { targets: Some(Vec::new()), ..StanceSettings::default() },
    ];
    for settings in wrong {
        assert!(StanceStage::start(settings.clone(), &context).is_err(), "{settings:?}");
    }
}

#[test]
fn hostile_sizes_are_read_in_part() {
    let cases = [
        ("one sentence of 100,000 words", "and Poland Russia ".repeat(33_000)),
        ("10,000 names", "Poland, Norway, Russia, ".repeat(3_400)),
        ("marks", "\" “ ( ' — , ".repeat(10_000)),
    ];
    for (case, text) in cases {
        let document = judged(&text);
        assert_eq!(document.stance().len(), 1, "{case}");
    }
}

/// Four bytes are no year.
#[test]
fn ordinary_text_ends_no_reading() {
    for text in [
        "Vera Larina, née Sokolova, praised Russia.",
        "Norway denounced Russia….",
        "Norway denounced für Russia año.",
    ] {
        assert_eq!(judged(text).stance().len(), 1, "{text}");
    }
}

/// Every word of the lists, and how verbs go on.
fn listed_words() -> Vec<String> {
    let lists = [
        include_str!("../cues/verbs.tsv"),
        include_str!("../cues/nouns.tsv"),
        include_str!("../cues/evaluations.tsv"),
        include_str!("../cues/function.tsv"),
    ];
    let lines = lists.iter().flat_map(|list| list.lines()).filter(|line| !line.starts_with('#'));
    let phrases = lines.filter_map(|line| line.split('\t').next());
    phrases.flat_map(|phrase| [phrase.to_owned(), format!("{phrase}ed")]).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    /// Whatever the words, evidence lies inside the text, and nobody of the target is an actor.
    #[test]
    fn evidence_is_inside_and_the_target_is_no_actor(
        words in prop::collection::vec(
            prop_oneof![
                4 => prop::sample::select(&["Russia", "Russian", "Putin", "Poland", "Belarus"][..])
                    .prop_map(String::from),
                6 => prop::sample::select(listed_words()),
                1 => prop::sample::select(&["'s", ",", "“", "”", "\n", "?", "….", "--", "é", "née"][..])
                    .prop_map(String::from),
                1 => "\\PC{1,6}",
            ],
            0..60,
        )
    ) {
        let document = judged(&words.join(" "));
        for entry in document.stance() {
            for actor in &entry.actors {
                prop_assert!(actor.id != "RUS" && actor.id != "RUS.PUTIN");
                prop_assert!(actor.stance.evidence.len() <= 20);
                for piece in actor.stance.evidence.iter().chain(&actor.stance.counter_evidence) {
                    let whole = Span::new(0, document.text().len() as u32);
                    prop_assert!(whole.contains(piece.span));
                    prop_assert!(piece.holder.is_none_or(|span| piece.span.contains(span)));
                    prop_assert!(piece.time != Time::Hypothetical);
                }
            }
        }
    }
}

#[test]
fn sanctions_stand_for_the_target_once_they_are_known_to_be_on_it() {
    let known = judged("Poland imposed sanctions on Russia.\nNorway supports the sanctions.");
    assert_eq!(label_of(&known, "NOR"), Some(StanceLabel::Opposed));
    let unknown = judged("Poland condemned Russia.\nNorway supports the sanctions.");
    assert_eq!(label_of(&unknown, "NOR"), None);
}

#[test]
fn whoever_sides_with_a_holder_sides_with_what_he_said() {
    use StanceLabel::Opposed;
    let cases = [
        ("backs", "Poland condemned Russia.\nNorway backed Poland.", Some(Opposed)),
        ("later", "Poland condemned Russia.\nIt rained.\nNorway backed Poland.", None),
        ("another", "Poland condemned Russia.\nNorway backed Canada.", None),
        ("meets", "Poland condemned Russia.\nNorway met Poland.", None),
        ("if", "Poland condemned Russia.\nNorway would have backed Poland.", None),
        ("thanks", "Poland condemned Russia.\nNorway thanked Poland for the match.", None),
        ("arms", "Poland condemned Russia.\nNorway delivered tanks to Poland.", None),
        ("more", "Poland condemned Russia.\nNorway backed Poland in the final.", None),
        ("followed", "Poland condemned Russia.\nNorway followed on Friday.", Some(Opposed)),
        ("talks", "Poland condemned Russia.\nTalks with Norway followed the next day.", None),
        ("rain", "Poland condemned Russia.\nRain followed on Friday in Norway.", None),
        ("hours", "Poland condemned Russia.\nNorway followed within hours.", Some(Opposed)),
        ("laws", "Poland sanctioned Russia.\nNorway adopted similar laws.", Some(Opposed)),
        ("another goal", "Poland sanctioned Russia.\nNorway took similar steps on China.", None),
        ("from", "Poland condemned Russia.\nSimilar statements came from Norway.", Some(Opposed)),
    ];
    for (case, text, expected) in cases {
        assert_eq!(label_of(&judged(text), "NOR"), expected, "{case}: {text}");
    }
}

/// The one named first in the sentence before acts, whatever others do in it.
#[test]
fn whoever_welcomes_or_rejects_a_deed_shares_or_fights_it() {
    use StanceLabel::{Opposed, Supportive};
    let expelled = "Poland expelled three envoys of Russia.";
    let cases = [
        ("welcomed", expelled, "Norway welcomed the move.", Some(Opposed)),
        ("criticised", expelled, "Norway criticised the decision.", Some(Supportive)),
        ("judged", expelled, "Norway called the expulsions unlawful.", Some(Supportive)),
        ("nothing said", expelled, "Norway published the decision.", None),
        ("perhaps", expelled, "Norway might welcome the move.", None),
        ("its own", "Norway expelled three envoys of Russia.", "Poland slept.", Some(Opposed)),
        ("praise", "Poland praised Russia.", "Norway condemned the move.", Some(Opposed)),
        ("another", expelled, "Norway welcomed the decision to build a port.", None),
        ("later", "Poland condemned Russia.\nIt rained.", "Norway welcomed the move.", None),
        ("nobody's", "It rained.", "Norway welcomed the move.", None),
    ];
    for (case, before, text, expected) in cases {
        let text = format!("{before}\n{text}");
        assert_eq!(label_of(&judged(&text), "NOR"), expected, "{case}: {text}");
    }
}

#[test]
fn a_vote_is_on_the_text_of_the_sentence_before() {
    use StanceLabel::{Opposed, Supportive};
    let cases = [
        ("for", "The resolution condemned Russia.\nNorway voted for it.", Some(Opposed)),
        ("against", "The resolution condemned Russia.\nNorway voted against it.", Some(Supportive)),
        ("in favour", "A motion censured Russia.\nNorway voted in favour.", Some(Opposed)),
        (
            "bare",
            "A draft called on Russia to leave.\nOnly Norway voted against.",
            Some(Supportive),
        ),
        ("rejected", "The text condemned Russia.\nNorway rejected it.", Some(Supportive)),
        ("praise", "The resolution praised Russia.\nNorway backed it.", Some(Supportive)),
        ("drafted", "The resolution condemned Russia.\nNorway drafted the text.", Some(Opposed)),
        ("sponsored", "The text condemned Russia.\nNorway sponsored it.", Some(Opposed)),
        ("a law", "The resolution condemned Russia.\nNorway drafted a law.", None),
        ("between", "The text condemned Russia.\nIt rained.\nNorway voted for it.", Some(Opposed)),
        ("abstained", "The resolution condemned Russia.\nNorway abstained.", None),
        ("perhaps", "The resolution condemned Russia.\nNorway may vote against it.", None),
        ("if", "The text condemned Russia.\nIf Norway votes against it, it falls.", None),
        ("far off", "The text condemned Russia.\nIt rained.\nNorway backed the text.", None),
        ("another text", "The resolution condemned Russia.\nNorway backed the bill.", None),
        ("another", "The resolution condemned Russia.\nNorway voted for the bill on fish.", None),
        ("no text", "The minister met Russia.\nNorway voted for it.", None),
        ("no vote", "The resolution condemned Russia.\nNorway published it.", None),
    ];
    for (case, text, expected) in cases {
        assert_eq!(label_of(&judged(text), "NOR"), expected, "{case}: {text}");
    }
}

/// Who stands where, and under each the passages that show it.
fn picture(document: &Document<'_>) -> String {
    use std::fmt::Write as _;
    let mut picture = String::new();
    for entry in document.stance() {
        let author = entry.author.iter().map(|stance| ("the author", stance));
        let actors = entry.actors.iter().map(|actor| (actor.name.as_str(), &actor.stance));
        for (name, stance) in author.chain(actors) {
            writeln!(picture, "{name}: {:?}", stance.degree()).unwrap();
            for piece in &stance.evidence {
                writeln!(picture, "  + {}", document.slice(piece.span)).unwrap();
            }
            for piece in &stance.counter_evidence {
                writeln!(picture, "  - {}", document.slice(piece.span)).unwrap();
            }
        }
    }
    picture
}

#[test]
fn whoever_remains_neutral_between_two_is_against_neither() {
    let document = judged("Poland remains neutral in the war between Russia and Norway.");
    assert!(label_of(&document, "POL").is_none_or(|label| label == StanceLabel::Neutral));
    let document = judged("Poland is no longer neutral and condemned the war of Russia.");
    assert_eq!(label_of(&document, "POL"), Some(StanceLabel::Opposed));
}

#[test]
fn a_document_shows_its_actors_with_their_passages() {
    let document = judged(
        "Poland condemned Russia on Monday.\nNorway has refused to support Russia.\n\
         Belarus praised Russia as its closest ally.\nChina and Turkey sent delegates.\n\
         If China were to condemn Russia, prices would rise.\nRussia threatened Norway.",
    );
    insta::assert_snapshot!(picture(&document), @r"
    Belarus: Supportive
      + Belarus praised Russia as its closest ally.
    Poland: Opposed
      + Poland condemned Russia on Monday.
    Norway: Distancing
      + Norway has refused to support Russia.
    ");
}

#[test]
fn only_whoever_weighs_the_sides_is_shown_between_them() {
    use StanceLabel::Neutral;
    let cases = [
        ("subject", "Norway abstained in the vote on Russia.", "NOR", Some(Neutral)),
        (
            "mediator",
            "Norway's mediation between Russia and Ukraine went on.",
            "NOR",
            Some(Neutral),
        ),
        (
            "one of the sides",
            "Norway wrote to Russia and Ukraine; it binds both sides.",
            "UKR",
            None,
        ),
        ("named only", "Norway abstained in the vote on Russia in Poland.", "POL", None),
    ];
    for (case, text, id, expected) in cases {
        assert_eq!(label_of(&judged(text), id), expected, "{case}: {text}");
    }
}
