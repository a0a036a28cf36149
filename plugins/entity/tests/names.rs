//! What names mean where they stand. All sentences are our own.

use std::sync::LazyLock;

use proptest::prelude::*;
use standpoint_document::{Document, EntityKind, Metadata, Target, layers, mention};
use standpoint_entity::{EntitySettings, EntityStage};
use standpoint_stage::{StageDefinition, StartContext, testing};

fn stage() -> EntityStage {
    stage_with(EntitySettings::default())
}

fn stage_with(settings: EntitySettings) -> EntityStage {
    let pipeline_dir = env!("CARGO_MANIFEST_DIR").into();
    let context = StartContext { stage: "entity".into(), pipeline_dir };
    EntityStage::start(settings, &context).expect("the settings are right")
}

fn document(text: &str, published: Option<&str>) -> Document<'static> {
    let published = published.map(String::from);
    testing::tokenised(text).with_metadata(Metadata { published, ..Metadata::default() })
}

/// Every mention as `text=id`, with a mark for each flag.
fn mentions(stage: &EntityStage, document: &Document<'_>) -> Vec<String> {
    let (mentions, entities) = stage.find(document);
    mentions
        .iter()
        .map(|found| {
            let mut line =
                format!("{}={}", document.slice(found.span), entities[found.link as usize].id);
            for (flag, mark) in [
                (mention::DEMONYM, " demonym"),
                (mention::METONYM, " metonym"),
                (mention::ANAPHOR, " anaphor"),
                (mention::NOT_AN_ACTOR, " culture"),
                (mention::NESTED, " nested"),
            ] {
                if found.has(flag) {
                    line.push_str(mark);
                }
            }
            line
        })
        .collect()
}

#[test]
fn a_name_is_shown_with_its_accents_however_the_text_writes_it() {
    let stage = stage();
    for (text, id, name) in [
        ("Yesterday Erdogan refused it.", "TUR.ERDOGAN", "Recep Tayyip Erdo\u{11f}an"),
        ("Recep Tayyip Erdogan refused it.", "TUR.ERDOGAN", "Recep Tayyip Erdo\u{11f}an"),
        ("Recep Tayyip Erdo\u{11f}an refused it.", "TUR.ERDOGAN", "Recep Tayyip Erdo\u{11f}an"),
        ("Yesterday Erdo\u{11f}an refused it.", "TUR.ERDOGAN", "Recep Tayyip Erdo\u{11f}an"),
        ("Viktor Orban refused it.", "HUN.ORBAN", "Viktor Orb\u{e1}n"),
        ("Aleksandar Vucic refused it.", "SRB.VUCIC", "Aleksandar Vu\u{10d}i\u{107}"),
        ("Lech Walesa refused it.", "POL.WALESA", "Lech Wa\u{142}\u{119}sa"),
        ("Nicolas Maduro refused it.", "VEN.MADURO", "Nicol\u{e1}s Maduro"),
        ("Ivory Coast refused it.", "CIV", "C\u{f4}te d'Ivoire"),
        ("Cote d'Ivoire refused it.", "CIV", "C\u{f4}te d'Ivoire"),
        ("Sao Tome and Principe refused it.", "STP", "S\u{e3}o Tom\u{e9} and Pr\u{ed}ncipe"),
        ("Nestle refused it.", "CHE.NESTLE", "Nestl\u{e9}"),
        ("Turkey refused it.", "TUR", "Turkey"),
    ] {
        let document = document(text, Some("2024-05-01"));
        let (mentions, entities) = stage.find(&document);
        let first = mentions.first().unwrap_or_else(|| panic!("nobody in {text:?}"));
        let entity = &entities[first.link as usize];
        assert_eq!((entity.id.as_str(), entity.name.as_str()), (id, name), "{text}");
        // A target that is written without them is the same.
        let plain: String = standpoint_document::folded_letters(name).collect();
        for wanted in [name, &plain] {
            let found = standpoint_document::find_entity(wanted, &entities);
            assert_eq!(found.map(|found| found.id.as_str()), Some(id), "{wanted}");
        }
    }
}

#[test]
fn the_last_word_of_a_bodys_name_is_the_body() {
    let imf = "International Monetary Fund=IMF";
    let cases: &[(&str, &[&str])] = &[
        ("The International Monetary Fund left. They thanked the Fund.", &[imf, "Fund=IMF"]),
        ("The IMF left. They thanked the Fund.", &["IMF=IMF", "Fund=IMF"]),
        ("The International Monetary Fund left. They had a fund.", &[imf]),
        // Of two nobody knows which.
        (
            "The World Bank and the European Central Bank met. They thanked the Bank.",
            &["World Bank=WB", "European Central Bank=EU.ECB", "Bank=name:bank"],
        ),
    ];
    let stage = stage();
    for (text, expected) in cases {
        let mut found = mentions(&stage, &document(text, None));
        found.retain(|found| !found.ends_with("anaphor"));
        assert_eq!(&found, expected, "{text}");
    }
}

/// The names of a text with `targets` in the settings, without pronouns.
fn sought(targets: &[&str], text: &str) -> Vec<String> {
    let targets = targets.iter().map(|&target| target.to_owned()).collect();
    let stage = stage_with(EntitySettings { targets, ..EntitySettings::default() });
    let mut found = mentions(&stage, &document(text, None));
    found.retain(|found| !found.ends_with("anaphor"));
    found
}

#[test]
fn what_the_settings_seek_is_found_as_it_is_written() {
    let taxes = ["Carbon tax=name:carbon-tax", "carbon tax=name:carbon-tax"];
    let cases: &[(&str, &str, &[&str])] = &[
        ("carbon tax", "Carbon tax? No carbon tax!", &taxes),
        ("carbon tax", "They hate carbon taxes.", &["carbon taxes=name:carbon-tax"]),
        ("vaccine mandates", "A vaccine mandate fell.", &["vaccine mandate=name:vaccine-mandates"]),
        ("news", "A new law fell.", &[]),
        // An article is no part of the name, and an id of one's own counts.
        ("the Dahl plan", "Few read the Dahl plan.", &["Dahl plan=name:the-dahl-plan"]),
        ("The Lantern Act", "Few read the Lantern Act.", &["Lantern Act=name:the-lantern-act"]),
        ("carbon tax (LAW.TAX)", "Few like the carbon tax.", &["carbon tax=LAW.TAX"]),
        // What kind of firm it is makes no other of it, and a full stop is part of a name.
        ("Marlo Inc.", "Peru sued Marlo Inc. for it.", &["Peru=PER", "Marlo Inc=name:marlo-inc"]),
        ("Marlo Inc.", "Peru sued Marlo.", &["Peru=PER", "Marlo=name:marlo-inc"]),
        ("Qu.ix", "Peru sued Qu.ix again.", &["Peru=PER", "Qu.ix=name:quix"]),
        // Capitals count in a name of one word only, and those that begin a sentence do not.
        ("Carbon Tax", "They hate the carbon tax.", &["carbon tax=name:carbon-tax"]),
        ("Orbel", "They drew an orbel.", &[]),
        ("Juice", "Juice is dear.", &[]),
        ("The Who", "It is the one who said it.", &[]),
        // A longer name is another's.
        (
            "Mining",
            "Peru sued Orinda Mining Museum.",
            &["Peru=PER", "Orinda Mining Museum=name:orinda-mining-museum"],
        ),
        (
            "Tigray Now",
            "\u{201c}Tigray Now\u{2019}s men\u{201d} left.",
            &["Tigray Now=name:tigray-now"],
        ),
        // Over two sentences there is no name.
        ("Orinda Mining", "We like Orinda. Mining is dear.", &["Orinda=name:orinda"]),
        // What the tables know stays whose it is, however it is typed, and letters make a name.
        ("Moscow", "The play opened in Moscow.", &["Moscow=name:moscow"]),
        ("RUS", "Russia left.", &["Russia=RUS"]),
        ("nato", "Peru left NATO.", &["Peru=PER", "NATO=NATO"]),
        ("us", "They told us of the US.", &["US=USA"]),
        ("the kremlin", "The Kremlin left.", &["Kremlin=RUS metonym"]),
        ("  ", "Russia left.", &["Russia=RUS"]),
        ("...", "Russia left ...", &["Russia=RUS"]),
    ];
    for (target, text, expected) in cases {
        assert_eq!(&sought(&[target], text), expected, "{target} in {text}");
    }
}

#[test]
fn of_several_that_are_sought_the_longest_is_meant_and_then_the_first() {
    let cases: &[(&[&str], &str, &[&str])] = &[
        (
            &["tax", "carbon tax"],
            "The carbon tax is a tax.",
            &["carbon tax=name:carbon-tax", "tax=name:tax"],
        ),
        (
            &["carbon tax", "tax"],
            "The carbon tax is a tax.",
            &["carbon tax=name:carbon-tax", "tax=name:tax"],
        ),
        (&["Marlo", "Marlo Inc."], "Peru sued Marlo.", &["Peru=PER", "Marlo=name:marlo"]),
        (&["a b", "b c"], "It is a b c.", &["a b=name:a-b"]),
    ];
    for (targets, text, expected) in cases {
        assert_eq!(&sought(targets, text), expected, "{targets:?} in {text}");
    }
}

#[test]
fn a_surname_that_is_sought_is_its_one_persons() {
    let targets = vec!["Smith".to_owned()];
    let stage = stage_with(EntitySettings { targets, ..EntitySettings::default() });
    let owned = |text: &str| -> Vec<String> {
        let (mentions, entities) = stage.find(&document(text, None));
        let target = Target::resolve("Smith", &entities);
        let own = mentions.iter().filter(|found| target.owns(found.link as usize));
        own.map(|found| text[found.span.range()].to_owned()).collect()
    };
    assert_eq!(owned("John Smith left. We saw Smith."), ["John Smith", "Smith"]);
    assert_eq!(owned("Smith stayed. We saw John Smith."), ["Smith", "John Smith"]);
    // Of two it is nobody's.
    assert_eq!(owned("John Smith saw Anna Smith. They saw Smith."), ["Smith"]);
}

#[test]
fn what_is_sought_is_a_person_an_organisation_or_a_thing() {
    for (target, kind) in [
        ("carbon tax", EntityKind::Other),
        ("Halden Water Board", EntityKind::Organisation),
        ("Bill C-417", EntityKind::Other),
        ("Vladimir Quux", EntityKind::Person),
    ] {
        let targets = vec![target.to_owned()];
        // Without the tagger, which may know better.
        let settings =
            EntitySettings { targets, unknown_names: false, ..EntitySettings::default() };
        let (_, entities) =
            stage_with(settings).find(&document(&format!("They hate the {target}."), None));
        let found: Vec<(&str, EntityKind)> =
            entities.iter().map(|entity| (entity.name.as_str(), entity.kind)).collect();
        assert_eq!(found, [(target, kind)]);
    }
}

#[test]
fn events_are_known_by_the_shape_of_their_names() {
    let stage = stage();
    let cases: &[(&str, &[&str])] = &[
        (
            "She lost the 2011 Tarvonian state election by a hair.",
            &["2011 Tarvonian state election"],
        ),
        ("Few recall the Bolivian War today.", &["Bolivian War"]),
        ("It lost the 2019 Norwegian by-election.", &["2019 Norwegian by-election"]),
        ("In 2011 the state election was dull.", &[]),
        ("They held 2011 talks on Norwegian fish before the election.", &["Norwegian"]),
        ("The Norwegian War Crimes Unit closed.", &["Norwegian War Crimes Unit"]),
    ];
    for (text, expected) in cases {
        let (mentions, entities) = stage.find(&document(text, None));
        let named = |span| document(text, None).slice(span).to_owned();
        let found: Vec<String> = mentions
            .iter()
            .filter(|found| !found.has(mention::ANAPHOR | mention::NESTED))
            .map(|found| named(found.span))
            .collect();
        assert_eq!(&found, expected, "{text}: {entities:?}");
    }
}

#[test]
fn names_mean_what_their_context_says() {
    let stage = stage();
    let cases: &[(&str, &str, &[&str])] = &[
        ("a seat", "The Kremlin denied everything.", &["Kremlin=RUS metonym"]),
        ("a capital that speaks", "Moscow said the talks had failed.", &["Moscow=RUS metonym"]),
        ("a capital that owns", "Nobody feared Ankara's anger.", &["Ankara=TUR metonym"]),
        ("a capital as a place", "The play opened in Moscow.", &["Moscow=name:moscow"]),
        ("travel", "The envoy flew to Moscow.", &["Moscow=name:moscow"]),
        ("a city's people", "He is a Moscow city deputy.", &["Moscow=name:moscow"]),
        ("hyphen", "Beijing-backed lenders", &["Beijing=CHN metonym"]),
        ("possessive", "Kazakhstan's exports fell.", &["Kazakhstan=KAZ"]),
        ("curly possessive", "Turkey\u{2019}s exports fell.", &["Turkey=TUR"]),
        ("the bird is small", "We ate turkey.", &[]),
        ("acronym of a state", "The US-led force left.", &["US=USA"]),
        ("a pronoun is no state", "It told us nothing.", &[]),
        ("officials", "Russian officials left.", &["Russian=RUS demonym"]),
        ("novels", "She reads Russian novels.", &["Russian=RUS demonym culture"]),
        (
            "a list that is a name",
            "Brazil, Russia, India, China and South Africa met.",
            &["Brazil, Russia, India, China and South Africa=BRICS"],
        ),
        ("attitude", "an anti-Russian mood", &["Russian=RUS demonym"]),
        ("people", "Most Kazakhs stayed at home.", &["Kazakhs=KAZ.PEOPLE demonym"]),
        ("the state", "We told the Kazakhs so.", &["Kazakhs=KAZ demonym metonym"]),
        ("some of them", "some of the Kazakhs left", &["Kazakhs=KAZ.PEOPLE demonym"]),
        ("those who", "the Kazakhs who left", &["Kazakhs=KAZ.PEOPLE demonym"]),
        ("capitals", "RUSSIA AND CHINA SIGN A TREATY", &["RUSSIA=RUS", "CHINA=CHN"]),
        ("seated", "the rulers in Ankara", &["Ankara=TUR metonym"]),
        ("seated here", "the government here in Riga", &["Riga=LVA metonym"]),
        ("foreign office", "the foreign office in Berlin", &["Berlin=DEU metonym"]),
        ("those who decide", "those in Ankara who ordered the raid", &["Ankara=TUR metonym"]),
        ("those who order", "those in Ankara who gave the order", &["Ankara=TUR metonym"]),
        ("those who gave", "those in Ankara who gave blood", &["Ankara=name:ankara"]),
        ("those who protest", "those in Ankara who march", &["Ankara=name:ankara"]),
        ("visitors", "the skiers in Ankara", &["Ankara=name:ankara"]),
        ("members", "UN Member States voted.", &["UN Member States=UN.UNGA"]),
        (
            "a title first",
            "President Macron criticised Putin.",
            &["Macron=FRA.MACRON", "Putin=RUS.PUTIN"],
        ),
        ("Mr first", "Mr Macron criticised Putin.", &["Macron=FRA.MACRON", "Putin=RUS.PUTIN"]),
        ("a title alone", "Minister Lavrov met Putin.", &["Lavrov=RUS.LAVROV", "Putin=RUS.PUTIN"]),
        ("accents", "Erdo\u{11f}an said no.", &["Erdo\u{11f}an=TUR.ERDOGAN"]),
        ("a long form", "the Russian Federation", &["Russian Federation=RUS"]),
        ("a place is no actor", "a warehouse near Almaty", &["Almaty=name:almaty"]),
        (
            "title and name",
            "Kazakh President Kassym-Jomart Tokayev",
            &["Kazakh=KAZ demonym nested", "Kassym-Jomart Tokayev=KAZ.TOKAYEV"],
        ),
        ("months", "In May and March it rained.", &[]),
        ("article", "Relations with the West froze.", &["West=WEST"]),
        (
            "a dateline",
            "MOSCOW, November 3, 2023 (Interfax) -\nEgypt refused.",
            &["MOSCOW=name:moscow", "Interfax=RUS.INTERFAX", "Egypt=EGY"],
        ),
        (
            "a party's state",
            "The Swedish Social Democrats refused.",
            &["Swedish=SWE demonym nested", "Social Democrats=SWE.SOCIAL_DEMOCRATS"],
        ),
        (
            "a party like another",
            "The Social Democrats refused.",
            &["Social Democrats=name:social-democrats"],
        ),
    ];
    let wrong: Vec<_> = cases
        .iter()
        .map(|(case, text, expected)| (case, mentions(&stage, &document(text, None)), *expected))
        .filter(|(_, found, expected)| found != expected)
        .collect();
    assert!(wrong.is_empty(), "case, found, expected: {wrong:#?}");
}

#[test]
fn a_name_is_read_as_it_is_written() {
    let stage = stage();
    let cases: &[(&str, &[&str])] = &[
        ("Let us wait for an answer.", &[]),
        ("Nobody had heard of LeT before.", &["LeT=LET"]),
        ("LET THEM NOT FORGET RUSSIA", &["RUSSIA=RUS"]),
        ("They left the West Bank at noon.", &["West Bank=name:west-bank"]),
        ("They blamed the West for it.", &["West=WEST"]),
        ("i moved to france and then to malaysia", &["france=FRA", "malaysia=MYS"]),
        ("we had turkey and fine china", &[]),
        ("He moved to france.", &[]),
        ("Boeing Inc and Gazprom closed.", &["Boeing Inc=USA.BOEING", "Gazprom=RUS.GAZPROM"]),
        ("Boeing, Ltd and Gazprom closed.", &["Boeing, Ltd=USA.BOEING", "Gazprom=RUS.GAZPROM"]),
    ];
    for (text, expected) in cases {
        assert_eq!(&mentions(&stage, &document(text, None)), expected, "{text}");
    }
}

#[test]
fn a_party_of_one_state_is_none_of_another() {
    let stage = stage();
    for (text, id, expected) in [
        ("Germany's Left Party condemned it.", "DEU.LINKE", true),
        ("The Left Party condemned it.", "DEU.LINKE", true),
        ("Sweden's Left Party condemned it.", "DEU.LINKE", false),
        ("The Swedish Left Party condemned it.", "DEU.LINKE", false),
        ("The Swedish opposition Left Party condemned it.", "DEU.LINKE", false),
        ("Swedes spoke, and the Left Party condemned it.", "DEU.LINKE", true),
        ("Sweden's Social Democrats condemned it.", "USA.DEMOCRATS", false),
        ("The Social Democrats condemned it.", "USA.DEMOCRATS", false),
        ("The American Democrats condemned it.", "USA.DEMOCRATS", true),
    ] {
        let (_, entities) = stage.find(&document(text, None));
        assert_eq!(entities.iter().any(|entity| entity.id == id), expected, "{text}: {entities:?}");
    }
}

#[test]
fn the_ministry_is_the_one_that_acted_before() {
    let stage = stage();
    let later = "It had rejected charges of the Russian Foreign Ministry.";
    for (before, expected) in [
        ("The Ministry of Foreign Affairs of Estonia met the Russian envoy.", Some("EST")),
        ("Estonia's Foreign Ministry met the Russian envoy.", Some("EST")),
        ("The Estonian Foreign Ministry met the Russian envoy.", Some("EST")),
        ("The Russian Foreign Ministry met the Estonian envoy.", Some("RUS")),
        ("The Ministry of Foreign Affairs met the ambassador of Russia.", None),
        ("Somebody met the Russian Foreign Ministry.", None),
        (
            "Estonia's Foreign Ministry spoke.\nSomebody met the Russian Foreign Ministry.",
            Some("EST"),
        ),
    ] {
        let text = format!("{before}\nThe Ministry also met the Chinese envoy.\n{later}");
        let document = document(&text, None);
        let (mentions, entities) = stage.find(&document);
        let found = mentions.iter().find(|found| document.slice(found.span) == "The Ministry");
        let country = found.and_then(|found| entities[found.link as usize].country.as_deref());
        assert_eq!(country, expected, "{text}: {entities:?}");
        for name in ["Ministry", "Minister", "Foreign Affairs"] {
            assert!(entities.iter().all(|entity| entity.name != name), "{text}: {entities:?}");
        }
    }
}

/// Who speaks for a state without a name is its officer, where only one state has one.
#[test]
fn an_officer_without_a_name_is_of_the_state_before() {
    let stage = stage();
    let cases = [
        ("Peru's minister met sailors.\nThe foreign minister thanked nobody.", Some("PER")),
        ("Peru's minister met sailors.\nThe deputy foreign minister spoke.", Some("PER")),
        ("Peru's minister met sailors.\nHe thanked nobody.", Some("PER")),
        ("The Peruvian president met sailors.\nShe thanked nobody.", Some("PER")),
        ("The president of Peru met sailors.\nHe thanked nobody.", Some("PER")),
        ("Peru's minister met sailors.\nThe minister spoke.\nHe thanked nobody.", Some("PER")),
        // Whom two states could mean, or somebody else, is left open.
        ("Peru's minister met Chad's minister.\nHe thanked nobody.", None),
        ("Peru's minister met his Chadian counterpart.\nThe minister spoke.", None),
        ("Peru met Chad.\nThe minister thanked nobody.", None),
        ("Peru received the guest.\nThe ambassador thanked nobody.", None),
        ("Peru's minister met a boxer.\nHe thanked nobody.", None),
        ("A boxer met Peru's minister.\nHe thanked nobody.", None),
        ("Peru's minister's driver spoke.\nHe thanked nobody.", None),
        ("Peru's minister met sailors.\nThe firm's spokesman thanked nobody.", None),
        ("Peru's minister met sailors.\nIt rained.\nHe thanked nobody.", None),
        ("Peru's minister met sailors.\nThe minister of Chad thanked nobody.", None),
    ];
    for (text, expected) in cases {
        let document = document(text, None);
        let (mentions, entities) = stage.find(&document);
        let last = text.rfind('\n').unwrap() as u32;
        let found =
            mentions.iter().find(|found| last < found.span.start && found.has(mention::ANAPHOR));
        let country = found.and_then(|found| entities[found.link as usize].country.as_deref());
        assert_eq!(country, expected, "{text}: {entities:?}");
    }
}

/// Who acts in office and has no name is meant before whoever is named with him.
#[test]
fn he_is_the_officer_who_acted_though_he_has_no_name() {
    let stage = stage();
    let cases = [
        ("The Federal Chancellor spoke with Vladimir Putin.\nHe blamed nobody.", None),
        ("The foreign minister met Vladimir Putin.\nShe blamed nobody.", None),
        ("The chancellor Ola Moe spoke with Vladimir Putin.\nHe blamed nobody.", Some("Ola Moe")),
        ("A boxer met Vladimir Putin.\nHe blamed nobody.", Some("Vladimir Putin")),
    ];
    for (text, expected) in cases {
        let document = document(text, None);
        let (mentions, entities) = stage.find(&document);
        let he = mentions.iter().find(|found| {
            found.has(mention::ANAPHOR) && matches!(document.slice(found.span), "He" | "She")
        });
        let name = he.map(|found| &*entities[found.link as usize].name);
        assert_eq!(name, expected, "{text}: {entities:?}");
    }
}

#[test]
fn the_bloc_is_the_one_that_the_text_names() {
    let stage = stage();
    let cases = [
        ("The European Union met.\nPeru spoke.\nChad hailed the bloc's rules.", Some("EU")),
        ("The European Union met.\nPeru left NATO.\nPeru spoke.\nChad hailed the bloc.", None),
        ("Peru met.\nChad hailed the bloc.", None),
    ];
    for (text, expected) in cases {
        let document = document(text, None);
        let (mentions, entities) = stage.find(&document);
        let bloc = mentions.iter().find(|found| document.slice(found.span) == "the bloc");
        assert_eq!(bloc.map(|found| &*entities[found.link as usize].id), expected, "{text}");
    }
}

#[test]
fn it_is_the_subject_of_the_main_clause() {
    let stage = stage();
    let cases = [
        ("When Chad asked, Peru refused.\nIt blamed nobody.", Some("PER")),
        ("Although Chad and Mali asked, Peru refused.\nIt blamed nobody.", Some("PER")),
        ("When Chad asked, nobody came.\nIt blamed nobody.", Some("TCD")),
        ("When Chad asked Peru refused.\nIt blamed nobody.", Some("TCD")),
        ("Chad asked, when Peru refused.\nIt blamed nobody.", Some("TCD")),
        ("Nobody came.\nIt blamed nobody.", None),
    ];
    for (text, expected) in cases {
        let document = document(text, None);
        let (mentions, entities) = stage.find(&document);
        let it = mentions.iter().find(|found| document.slice(found.span) == "It");
        assert_eq!(it.map(|found| &*entities[found.link as usize].id), expected, "{text}");
    }
}

#[test]
fn that_country_is_the_only_one_spoken_of() {
    let stage = stage();
    let cases = [
        ("Ships lay off Russia.\nPeru rejects sanctions on that country.", Some("RUS")),
        ("Ships lay off Russia and Chad.\nPeru rejects sanctions on that country.", None),
        ("Peru rejects sanctions on that country.", None),
        ("A Russian ship sank.\nPeru mourned with that nation.", Some("RUS")),
        ("They spoke of Russia.\nThey said that country songs bored them.", None),
    ];
    for (text, expected) in cases {
        let document = document(text, None);
        let (mentions, entities) = stage.find(&document);
        let that = mentions.iter().find(|found| document.slice(found.span).starts_with("that "));
        assert_eq!(that.map(|found| &*entities[found.link as usize].id), expected, "{text}");
    }
}

#[test]
fn an_office_beside_a_name_makes_a_voice() {
    let stage = stage();
    let cases = [
        ("Latvian Deputy Foreign Minister Jorunn Eikeland left.", Some("LVA")),
        ("Latvia's prosecutor general Jorunn Eikeland left.", Some("LVA")),
        ("The trade minister of Peru, Jorunn Eikeland, left.", Some("PER")),
        ("Jorunn Eikeland, Norway's ambassador to the talks, left.", Some("NOR")),
        ("Jorunn Eikeland, spokesman for the Slovenian government, left.", Some("SVN")),
        ("Jorunn Eikeland, the minister of trade of Peru, left.", Some("PER")),
        ("Former Latvian Deputy Foreign Minister Jorunn Eikeland left.", None),
        ("Latvia's opposition leader Jorunn Eikeland left.", None),
        ("Jorunn Eikeland, Norway's best skier, left.", None),
        ("Jorunn Eikeland, spokesman for a Slovenian club, left.", None),
        ("The Norwegian ambassador met Jorunn Eikeland.", None),
        ("Shadow Finance Minister Jorunn Eikeland of Ghana left.", None),
        ("Norway and Jorunn Eikeland left.", None),
    ];
    for (text, expected) in cases {
        let document = document(text, None);
        let (_, entities) = stage.find(&document);
        let voice = entities.iter().find(|entity| entity.name.contains("Eikeland"));
        let voice = voice.expect("the tagger finds the name");
        let country = voice.country.as_deref().filter(|_| voice.speaks_for_country);
        assert_eq!(country, expected, "{text}");
    }
}

#[test]
fn an_acronym_in_brackets_names_its_organisation_from_there_on() {
    let text = "The Northern Harbour Cooperation Council (NHCC) met.\nThe NHCC adjourned.";
    let stage = stage();
    let document = document(text, None);
    let (mentions, entities) = stage.find(&document);
    let linked: Vec<&str> = mentions
        .iter()
        .filter(|found| document.slice(found.span) == "NHCC")
        .map(|found| entities[found.link as usize].name.as_str())
        .collect();
    assert_eq!(linked, ["Northern Harbour Cooperation Council"; 2]);
}

#[test]
fn the_date_says_who_held_an_office() {
    let stage = stage();
    let text = "The Russian president refused.";
    for (published, expected) in [
        (Some("2010-03-01"), "RUS.MEDVEDEV"),
        (Some("2022-09-21"), "RUS.PUTIN"),
        (Some("1995-01-01"), "RUS.YELTSIN"),
    ] {
        let found = mentions(&stage, &document(text, published));
        let expected =
            [format!("Russian president={expected} anaphor"), "Russian=RUS demonym nested".into()];
        assert_eq!(found, expected, "{published:?}");
    }
}

#[test]
fn a_leader_out_of_office_speaks_for_nobody() {
    let stage = stage();
    for (published, speaks) in [(Some("2012-05-01"), true), (Some("2019-05-01"), false)] {
        let (_, entities) = stage.find(&document("Nicolas Sarkozy objected.", published));
        let sarkozy = entities.iter().find(|entity| entity.kind == EntityKind::Person).unwrap();
        assert_eq!((sarkozy.country.as_deref(), sarkozy.speaks_for_country), (Some("FRA"), speaks));
    }
}

#[test]
fn pronouns_follow_the_subject() {
    let found = mentions(&stage(), &document("Armenia said it would leave.", None));
    assert_eq!(found, ["Armenia=ARM", "it=ARM anaphor"]);
}

#[test]
fn a_state_can_be_found_by_any_of_its_names() {
    let (_, entities) = stage().find(&document("Ankara said no.", None));
    assert_eq!((entities[0].id.as_str(), entities[0].name.as_str()), ("TUR", "Turkey"));
    assert!(entities[0].aliases.iter().any(|alias| alias == "Turkiye"));
}

#[test]
fn too_many_mentions_are_cut_with_a_note() {
    let stage = stage_with(EntitySettings { max_mentions: 5, ..EntitySettings::default() });
    let mut document = document(&"Russia\n".repeat(50), None);
    testing::process(&stage, &mut document).unwrap();
    assert_eq!(document.mentions().len(), 5);
    insta::assert_snapshot!(
        document.notes()[0],
        @"entity: 50 mentions found, of which the first 5 are kept (`max_mentions`)"
    );
}

#[test]
fn a_wrong_gazetteer_is_named_with_its_path() {
    let settings =
        EntitySettings { gazetteer: vec!["missing/states.tsv".into()], ..Default::default() };
    let context = StartContext { stage: "entity".into(), pipeline_dir: "/nowhere".into() };
    let error = EntityStage::start(settings, &context).unwrap_err().to_string();
    assert!(error.starts_with("cannot read the gazetteer /nowhere/missing/states.tsv"), "{error}");
}

#[test]
fn hostile_text_is_read_in_time() {
    let stage = stage();
    for text in ["Capital ".repeat(100_000), "Bosnia-".repeat(50_000), "(A".repeat(50_000)] {
        let mut document = document(&text, None);
        testing::process(&stage, &mut document).unwrap();
    }
}

proptest! {
    /// Mentions fit the text, are in order and link into the table, whatever the text.
    #[test]
    fn mentions_fit_any_text(text in "([A-Za-zÀ-ſ'’().,-]{1,9}[ \n]|Russian |Moscow's |the |it |\u{0}){0,40}") {
        static STAGE: LazyLock<EntityStage> = LazyLock::new(stage);
        let mut document = document(&text, Some("2020-01-01"));
        testing::process(&*STAGE, &mut document).unwrap();
        for found in document.mentions() {
            prop_assert!(document.entity_of(found).is_some());
            prop_assert!(found.span.start < found.span.end);
            prop_assert!((0.0..=1.0).contains(&found.score));
        }
    }
}

/// Sentences as the stage itself sees them in its layer are what `process` writes.
#[test]
fn the_stage_writes_what_it_finds() {
    let stage = stage();
    let mut document = document("China praised Serbia.", None);
    testing::process(&stage, &mut document).unwrap();
    assert_eq!(document.mentions().len(), 2);
    assert_eq!(document.written().filter(|name| *name == layers::ENTITIES).count(), 1);
}
