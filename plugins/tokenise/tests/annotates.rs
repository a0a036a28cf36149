//! What the stage promises, on texts of our own.

#![expect(clippy::unwrap_used, reason = "a test stops where its premise is wrong")]

use std::sync::LazyLock;

use proptest::prelude::*;
use standpoint_document::{Document, Metadata, Span, sentence};
use standpoint_stage::{StageDefinition, StartContext, conformance, testing};
use standpoint_tokenise::{
    BoilerplateMode, Lists, MAX_SENTENCE_TOKENS, MAX_TOKEN_BYTES, SentenceSplitter, Tokenise,
    TokeniseSettings, is_left_out, words,
};

fn stage(settings: TokeniseSettings) -> Tokenise {
    let context = StartContext { stage: "tokenise".into(), pipeline_dir: ".".into() };
    Tokenise::start(settings, &context).unwrap()
}

static STAGE: LazyLock<Tokenise> = LazyLock::new(|| stage(TokeniseSettings::default()));
static LISTS: LazyLock<Lists> = LazyLock::new(Lists::standard);
static SPLITTER: LazyLock<SentenceSplitter> =
    LazyLock::new(|| SentenceSplitter::standard().unwrap());

fn annotated(text: &str) -> Document<'static> {
    let mut document = Document::new("d", text.to_owned()).unwrap();
    testing::process(&*STAGE, &mut document).unwrap();
    document
}

fn token_texts(text: &str) -> Vec<&str> {
    words(text, &LISTS).iter().map(|token| &text[token.range()]).collect()
}

fn sentence_texts(text: &str) -> Vec<String> {
    let document = annotated(text);
    document.sentences().iter().map(|s| document.slice(s.span).to_owned()).collect()
}

/// The sentences, one a line, each with the first letters of its flags.
fn picture(document: &Document<'_>) -> String {
    let names = [
        (sentence::TITLE, 'T'),
        (sentence::BOILERPLATE, 'B'),
        (sentence::FOREIGN, 'F'),
        (sentence::PARAGRAPH, 'P'),
        (sentence::CUT, 'C'),
    ];
    let line = |sentence: &standpoint_document::Annotation| {
        let flag = |&(flag, name): &(u32, char)| if sentence.has(flag) { name } else { '-' };
        let flags: String = names.iter().map(flag).collect();
        format!("{flags} {}", document.slice(sentence.span))
    };
    document.sentences().iter().map(line).collect::<Vec<_>>().join("\n")
}

#[test]
fn cuts_words_as_universal_dependencies_does() {
    let cases = [
        ("", ""),
        (" \n\t", ""),
        ("Yes, minister.", "Yes|,|minister|."),
        ("naïve café", "naïve|café"),
        ("Don't, can't, won’t", "Do|n't|,|ca|n't|,|wo|n’t"),
        ("We cannot go; they're gonna", "We|can|not|go|;|they|'re|gon|na"),
        ("Russia’s and Belarus' grip", "Russia|’s|and|Belarus|'|grip"),
        ("the 1990's and '90s", "the|1990's|and|'90s"),
        ("a well-known co-founder", "a|well|-|known|co-founder"),
        ("the Kremlin—again—said", "the|Kremlin|—|again|—|said"),
        ("In the U.S., Mr. J. R. Smith", "In|the|U.S.|,|Mr.|J.|R.|Smith"),
        ("on Sept. 16, e.g. at 5 p.m.", "on|Sept.|16|,|e.g.|at|5|p.m."),
        ("It was I.", "It|was|I|."),
        ("No. 5 said no. No.", "No.|5|said|no|.|No|."),
        ("1,000.50, 3.5% and $5m", "1,000.50|,|3.5|%|and|$|5|m"),
        ("9/11 and and/or", "9/11|and|and|/|or"),
        ("2014–2021 or 2014-21", "2014|–|2021|or|2014|-|21"),
        ("at 10:30am", "at|10:30|am"),
        ("see http://a.example/b?c=d.", "see|http://a.example/b?c=d|."),
        ("(www.example.org) a.b@c.example,", "(|www.example.org|)|a.b@c.example|,"),
        ("gov.kz said.Then it", "gov.kz|said|.|Then|it"),
        ("Well... no… \"yes\"!?", "Well|...|no|…|\"|yes|\"|!?"),
        ("“(a [b] c)”", "“|(|a|[|b|]|c|)|”"),
        ("#Astana @kz 👍🏽 🇰🇿", "#Astana|@kz|👍🏽|🇰🇿"),
        ("AT&T and O'Brien", "AT&T|and|O'Brien"),
        ("会谈 です", "会|谈|で|す"),
        ("Премьер-министр", "Премьер|-|министр"),
        ("soft\u{ad}hyphen \u{feff}start", "soft\u{ad}hyphen|start"),
        ("nul\0nul", "nul|nul"),
    ];
    for (text, expected) in cases {
        assert_eq!(token_texts(text).join("|"), expected, "{text:?}");
    }
}

#[test]
fn ends_sentences_where_a_reader_would() {
    let cases: [&[&str]; 14] = [
        &["The U.S. President met Mr. J. R. Smith on Jan. 6 in Washington.", "He left."],
        &["Resolution No. 5 passed.", "No. 6 did not."],
        &["He moved to the U.S. in 2014.", "She stayed in the U.S."],
        &["“We will not accept this,” he said.", "“We never will.”", "Then he left."],
        &["\"Is it over?\" she asked.", "Nobody knew."],
        &["The envoy (who had arrived late) spoke.", "The others (from Oslo) did not."],
        &["Talks continued... and then they stopped.", "Nobody said why."],
        &["What now?", "Nobody knows!", "The talks go on."],
        &["THE TALKS FAILED.", "NOBODY SIGNED."],
        &["Gen. Omarov and Sen. Lee visited St. Petersburg.", "They returned on Friday."],
        &["The firm, Example Inc., grew by 3.5 percent.", "It sold 1.2 million tons."],
        &["It cited several reasons (cost, time, etc.) and gave up.", "The bank did not."],
        &["Kazakhstan, i.e. its government, refused.", "So did Uzbekistan."],
        &["He voted for it at 5 p.m. on Monday.", "She did not vote."],
    ];
    for expected in cases {
        let text = expected.join(" ");
        assert_eq!(sentence_texts(&text), expected, "{text:?}");
    }
}

#[test]
fn a_dateline_is_no_part_of_the_first_sentence() {
    for (text, dateline) in [
        ("CAIRO (AP) - Egypt condemned it.", "CAIRO (AP) -"),
        ("BERLIN (dpa) - Germany expelled a diplomat.", "BERLIN (dpa) -"),
        ("Cairo (Reuters) - Egypt condemned it.", "Cairo (Reuters) -"),
        ("PARIS, Bloomberg - France condemned it.", "PARIS, Bloomberg -"),
        ("MOSCOW, Nov 3 (Interfax) - NATO expelled him.", "MOSCOW, Nov 3 (Interfax) -"),
        ("MOSCOW, Nov. 3 (TASS) - The ministry spoke.", "MOSCOW, Nov. 3 (TASS) -"),
        ("PARIS - France condemned it.", "PARIS -"),
        ("PARIS - A French court condemned it.", "PARIS -"),
        ("TEL AVIV — Israel condemned it.", "TEL AVIV —"),
        ("BERLIN (AP) — Germany condemned it.", "BERLIN (AP) —"),
        ("LIMA -- Peru condemned it.", "LIMA --"),
        ("KYIV, March 5, 2024 - The ministry spoke.", "KYIV, March 5, 2024 -"),
        ("Ministers met.\n\nRIO DE JANEIRO, Brazil (AP) - They met.", "Ministers met."),
    ] {
        assert_eq!(sentence_texts(text)[0], dateline, "{text}");
        assert!(sentence_texts(text).last().unwrap().ends_with('.'), "{text}");
    }
    let second = "Ministers met.\n\nRIO DE JANEIRO, Brazil (AP) - They met.";
    assert_eq!(sentence_texts(second)[1], "RIO DE JANEIRO, Brazil (AP) -");
    for text in [
        "The agency (AP) - it was late - condemned it.",
        "Jane Doe (Canada) - Minister of Trade.",
        "Paris, Berlin - Europe's capitals met.",
        "NATO - Russia talks failed.",
        "EU - China talks failed.",
        "PARIS - where they met.",
        "They met in PARIS - France's capital.",
        "PARIS - A LOVE STORY",
        "RUSSIA, CHINA - A LOVE STORY",
        "CAIRO (AP)-Egypt condemned it.",
        "CAIRO (AP) - where they met.",
    ] {
        assert_eq!(sentence_texts(text), [text]);
    }
}

#[test]
fn line_breaks_end_a_sentence_only_when_meant() {
    let wrapped = "The ministers of the five states met in Tashkent on Monday to speak about the\n\
                   water of the two rivers, and they agreed that a commission should meet again in\n\
                   Dushanbe before the summer. They did not agree on who is to pay for its work.";
    assert_eq!(sentence_texts(wrapped).len(), 2);
    let short = "In the first half of\n2024, Uvania kept in line with\nEU rules and spoke to its\nNeighbours.";
    assert_eq!(sentence_texts(short).len(), 1, "no line ends with such words on purpose");
    let list = "The plan has three parts:\n- Water for the south\n- Power for the north\n- Money";
    let parts =
        ["The plan has three parts:", "- Water for the south", "- Power for the north", "- Money"];
    assert_eq!(sentence_texts(list), parts);
}

#[test]
fn marks_title_caption_and_comment_form() {
    let text = "Ministers Fail to Agree\n\n\
        Ministers pose for a photo in Tashkent on Monday. A. Photographer/Agency\n\
        Ministers pose for a photo in Tashkent on Monday. A. Photographer/Agency\n\n\
        The talks failed. Nobody signed the paper, and the two sides (who had met for the third \
        time in a year) went home. Asked why, the host said that he did not know and that \
        nobody had told him. The next meeting will be in Dushanbe, where the same ministers are \
        to speak about the same rivers before the winter comes and the reservoirs are full.\n\n\
        What comes next\n\n\
        The summit is in May, and the host has said that it will be the last one for now, as \
        the costs have grown and the results have not.\n\n\
        Deja una respuesta\n\n\
        Tu dirección de correo electrónico no será publicada. Los campos están marcados con *\n";
    insta::assert_snapshot!(picture(&annotated(text)), @r"
    T--P- Ministers Fail to Agree
    -B-P- Ministers pose for a photo in Tashkent on Monday. A. Photographer/Agency
    -B-P- Ministers pose for a photo in Tashkent on Monday. A. Photographer/Agency
    ---P- The talks failed.
    ----- Nobody signed the paper, and the two sides (who had met for the third time in a year) went home.
    ----- Asked why, the host said that he did not know and that nobody had told him.
    ----- The next meeting will be in Dushanbe, where the same ministers are to speak about the same rivers before the winter comes and the reservoirs are full.
    T--P- What comes next
    ---P- The summit is in May, and the host has said that it will be the last one for now, as the costs have grown and the results have not.
    TB-P- Deja una respuesta
    -BFP- Tu dirección de correo electrónico no será publicada.
    -BF-- Los campos están marcados con *
    ");
}

#[test]
fn the_language_is_written_where_nobody_gave_it() {
    let english = "The minister said that the talks were useful and would go on.";
    assert_eq!(annotated(english).language(), Some("en"));
    assert_eq!(annotated("Yes.").language(), None);

    let metadata = Metadata { language: Some("de".into()), ..Metadata::default() };
    let mut given = Document::new("d", english).unwrap().with_metadata(metadata);
    testing::process(&stage(TokeniseSettings::default()), &mut given).unwrap();
    assert_eq!(given.language(), Some("de"));

    let forced = TokeniseSettings { language: Some("kk".into()), ..TokeniseSettings::default() };
    let mut document = Document::new("d", english).unwrap();
    testing::process(&stage(forced), &mut document).unwrap();
    assert_eq!(document.language(), Some("kk"));
}

#[test]
fn settings_change_what_they_say() {
    let settings = TokeniseSettings {
        boilerplate: BoilerplateMode::Keep,
        abbreviations: vec!["Abg.".into()],
        ..TokeniseSettings::default()
    };
    let mut document = Document::new("d", "Die Abg. sprach.\n\nShare on Facebook\n").unwrap();
    testing::process(&stage(settings), &mut document).unwrap();
    assert_eq!(document.slice(document.tokens()[1].span), "Abg.");
    assert!(document.sentences().iter().all(|s| !s.has(sentence::BOILERPLATE)));

    let context = StartContext { stage: "tokenise".into(), pipeline_dir: ".".into() };
    let wrong = TokeniseSettings { language: Some("English".into()), ..Default::default() };
    insta::assert_snapshot!(Tokenise::start(wrong, &context).unwrap_err(), @r#"`language` is "English", which is not an ISO 639-1 code: write two small letters, such as "en""#);
}

#[test]
fn keeps_to_what_every_stage_must() {
    conformance::assert_conforms::<Tokenise>();
}

#[test]
fn the_schema_file_is_current() {
    testing::check_settings_schema::<Tokenise>(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/settings.schema.json"
    ));
}

#[test]
fn endless_text_is_cut_into_sentences_of_bounded_length() {
    let text = "word, and another word ".repeat(2_000);
    let document = annotated(&text);
    assert!(document.sentences().len() > 30);
    assert!(document.sentences()[..30].iter().all(|sentence| sentence.has(sentence::CUT)));
    check(&text);
}

#[test]
fn hostile_text_takes_linear_time() {
    let units = [
        "a", ".", "\"", "'", "\u{301}", "\0", "-", "\n", "a.", "a-", "1,", "1-", "a'", "(", "@",
        "a@", "’", "🇰🇿", "\u{200d}", "a\n", "A. ", "A\n", "http:", "...", "\u{ad}", "www.", "</",
        " \n a",
    ];
    for unit in units {
        let text = unit.repeat(300_000 / unit.len());
        let start = std::time::Instant::now();
        check(&text);
        // Quadratic time would take hours; a slow machine in debug mode takes seconds.
        assert!(start.elapsed().as_secs() < 20, "{unit:?} took {:?}", start.elapsed());
    }
}

/// Checks what holds for every text.
fn check(text: &str) {
    let tokens = words(text, &LISTS);
    let mut rest = 0;
    for token in &tokens {
        let range = token.range();
        assert!(rest <= range.start && range.start < range.end, "{range:?} after {rest}");
        assert!(range.len() <= MAX_TOKEN_BYTES);
        assert!(text[rest..range.start].chars().all(is_left_out), "{:?}", &text[rest..range.start]);
        assert!(text.is_char_boundary(range.end));
        rest = range.end;
    }
    assert!(text[rest..].chars().all(is_left_out), "{:?}", &text[rest..]);

    let sentences = SPLITTER.split(text, &tokens, &LISTS);
    let mut next = 0;
    for sentence in &sentences {
        assert_eq!(sentence.tokens.start, next);
        assert!((1..=MAX_SENTENCE_TOKENS).contains(&sentence.tokens.len()));
        next = sentence.tokens.end;
    }
    assert_eq!(next, tokens.len());
}

proptest! {
    /// Any text at all.
    #[test]
    fn tokens_and_sentences_cover_any_text(text in any::<String>()) {
        check(&text);
    }

    /// Texts made of what the rules look at.
    #[test]
    fn tokens_and_sentences_cover_tricky_text(
        parts in prop::collection::vec(prop::sample::select(vec![
            "a", "A", "no", "Dr", "U.S", "1", "23", ".", "...", ",", "-", "'", "’", "\"", "(", ")", "[", " ",
            "\n", "\n\n", "n't", "s", "@", "http://", "com", "/", "&", "$", "%", "é", "会", "\u{301}", "\u{ad}",
            "\u{a0}", "\u{200d}", "😀", "🇰", "…", "By ", "Share", "non", "e", ":", ")", "#", "*", "\r\n", "\u{2029}",
        ]), 0..60),
    ) {
        let text: String = parts.concat();
        check(&text);
        let document = annotated(&text);
        for sentence in document.sentences() {
            prop_assert!(sentence.span != Span::default());
        }
    }
}
