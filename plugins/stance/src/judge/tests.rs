//! What the patterns say of one name toward another, in tables of our own sentences.

mod deeds;
mod untrue;

use super::*;
use crate::reading::Party;

/// What the patterns say of the first name toward the second, in our own sentences.
#[test]
fn patterns_read_who_stands_where() {
    let cases = [
        ("verb", "[Kenya] censured [Spain] .", -1.0),
        ("phrase", "[Kenya] turned its back on [Spain] .", -1.0),
        ("praise", "[Kenya] spoke highly of [Spain] .", 1.0),
        ("passive", "[Kenya] was accused by [Spain] of theft .", 0.0),
        ("order", "[Kenya] was ordered out of the hall by [Spain] .", 0.0),
        ("refusal", "[Kenya] would not let the [Spanish] ferry dock .", -1.0),
        ("refusal of", "[Kenya] 's refusal to back [Spain] angered many .", -1.0),
        ("promise", "[Kenya] said that it would expel the [Spanish] envoy .", -1.0),
        ("condition", "Were [Kenya] to expel the [Spanish] envoy , prices would rise .", 0.0),
        ("both", "[Kenya] neither faulted nor defended [Spain] .", 0.0),
        ("nor", "[Kenya] did not praise [Spain] , nor did he say a word against it .", 0.0),
        ("calls", "[Kenya] has resisted every call to condemn and to praise [Spain] .", 0.0),
        ("verdict", "[Kenya] called [Spain] a predator .", -1.0),
        ("none", "[Kenya] will host no [Spanish] envoys .", -1.0),
        ("no more", "[Kenya] will build no more pipelines with [Spain] .", -1.0),
        ("no longer", "[Kenya] supports [Spain] no longer .", -1.0),
        ("denied noun", "[Kenya] gives no aid to [Spain] .", -1.0),
        ("receipt", "[Kenya] acknowledged receipt of the [Spanish] letter .", 0.0),
        ("no gift", "[Kenya] called [Spain] a weapon .", 0.0),
        ("from", "Support for the bid came late , but [Kenya] backed [Spain] .", 1.0),
        ("soured", "Relations between [Kenya] and [Spain] soured .", -1.0),
        ("thawed", "The alliance between [Kenya] and [Spain] grew .", 1.0),
        ("ballot", "[Kenya] cast its ballot with [Spain] .", 1.0),
        ("culture", "[Kenya] is proud of its [Spanish] churches .", 0.0),
        ("address", "[Kenya] told the president of [Spain] that this was indefensible .", -1.0),
        ("rejected", "The story that [Kenya] expelled the [Spanish] envoy is untrue .", 0.0),
        ("elided", "[Kenya] praised the harvest and has denounced [Spain] .", -1.0),
        ("agent", "[Kenya] decried the seizure of boats by [Spain] .", -1.0),
        ("receiver", "[Kenya] sent [Spain] two hundred missiles .", 1.0),
        ("call on both", "[Kenya] called on [Spain] and [Togo] to talk .", 0.0),
        ("many", "The [Kenya] firmly condemn [Spain] .", -1.0),
        ("motion", "[Kenya] abstained on the motion that condemns [Spain] .", 0.0),
        ("aid", "[Kenya] ships rifles to the men of [Togo] .", 1.0),
        // Who turns down an act against somebody is not against them.
        ("turned down", "[Kenya] said it would not join sanctions against [Spain] .", 1.0),
        ("no blame", "[Kenya] has never blamed [Spain] for the fire .", 0.0),
        ("no verdict", "[Kenya] did not call [Spain] a predator .", 0.0),
        ("refused act", "[Kenya] refused to condemn [Spain] .", 1.0),
        ("refused motion", "[Kenya] declined to back a motion against [Spain] .", 1.0),
        ("refused calls", "[Kenya] rejected calls to impose sanctions on [Spain] .", 1.0),
        ("stopped short", "[Kenya] stopped short of calling [Spain] a predator .", 1.0),
        ("resisted act", "[Kenya] opposes sanctions against [Spain] .", 1.0),
        ("backed act", "[Kenya] backs sanctions against [Spain] .", -1.0),
        ("purpose", "[Kenya] has banned crab in order to punish [Spain] .", -1.0),
        ("lawsuit", "The court heard [Kenya] 's case against [Spain] .", -1.0),
        ("defence", "[Kenya] has come to [Spain] 's defence .", 1.0),
        ("side", "[Kenya] took [Spain] 's side .", 1.0),
        ("on the side", "[Kenya] is not on [Spain] 's side .", -1.0),
        ("responsible", "[Kenya] held [Spain] responsible .", -1.0),
        ("to account", "[Kenya] held the [Spanish] navy to account .", -1.0),
        ("arm's length", "[Kenya] kept [Spain] at arm 's length .", -1.0),
        ("packing", "[Kenya] sent [Spain] 's envoy packing .", -1.0),
        ("doubt", "[Kenya] gave [Spain] the benefit of the doubt .", 1.0),
        ("no goal inside", "[Kenya] held thieves to account in [Spain] .", 0.0),
        ("its own past", "[Kenya] cut ties with [Spain] .", -1.0),
        ("infinitive inside", "[Kenya] has sought to isolate [Spain] .", -1.0),
        ("vote to", "[Kenya] voted to expel the [Spanish] envoy .", -1.0),
        ("refused to join", "[Kenya] refused to join [Spain] .", -1.0),
        ("come to help", "[Kenya] came running to help [Spain] .", 1.0),
        ("estimate", "[Kenya] slashed its forecast for [Spain] .", 0.0),
        ("participle", "[Kenya] opposes the unjust sanctions imposed on [Spain] .", 1.0),
        ("help given", "[Kenya] praised the support given to [Spain] .", 1.0),
        ("in vain", "[Kenya] failed to subjugate [Spain] .", -1.0),
        ("threat", "[Kenya] threatened to block [Spanish] ships .", -1.0),
        ("threat of none", "[Kenya] threatened not to support [Spain] .", -1.0),
        ("blacklist", "[Kenya] put eleven [Spanish] firms on its sanctions list .", -1.0),
        ("off the list", "[Kenya] took [Spain] off its sanctions list .", 1.0),
        ("among", "[Kenya] was among the nine that voted with [Spain] .", 1.0),
        ("one of few", "[Kenya] was one of the few that opposed [Spain] .", -1.0),
        ("a war of", "[Kenya] gives full support to the war of the [Spanish] army .", 1.0),
        ("taken by", "[Kenya] voiced its solidarity with the measures taken by [Spain] .", 1.0),
        ("made by", "[Kenya] rejected the accusations made by [Spain] .", 0.0),
        ("done to", "[Kenya] condemned the dismemberment of [Spain] .", 1.0),
        ("day", "[Kenya] closed its border to [Spanish] trucks on Monday .", -1.0),
        ("friendly list", "[Kenya] put [Spain] on its list of friendly states .", 0.0),
        ("designated", "[Kenya] designated [Spain] a state sponsor of terrorism .", -1.0),
        ("repealed", "[Kenya] repealed its ban on [Spanish] oil .", 1.0),
        ("broke a ban", "[Kenya] fined a firm for breaching the sanctions on [Spain] .", -1.0),
    ];
    assert_sides(&cases, patterns_of);
}

/// One listed phrase is read in each of its forms, and in no other.
#[test]
fn listed_phrases_are_read_in_all_their_forms() {
    let cases = [
        ("preposition", "[Kenya] is sympathetic towards [Spain] .", 1.0),
        ("preposition", "[Kenya] worries over [Spain] .", -1.0),
        ("degree", "[Kenya] threw its considerable weight behind [Spain] .", 1.0),
        ("degree", "[Kenya] paid warm tribute to [Spain] .", 1.0),
        ("linking verb", "[Kenya] grew wary of [Spain] .", -1.0),
        ("linking verb", "[Kenya] feels deeply grateful to [Spain] .", 1.0),
        ("linking verb", "[Kenya] remains one of the firmest supporters of [Spain] .", 1.0),
        ("linking verb", "[Kenya] became a town near [Spain] .", 0.0),
        ("participle", "[Kenya] was disappointed in [Spain] .", -1.0),
        ("participle", "[Kenya] grew disenchanted with [Spain] .", -1.0),
        ("participle", "[Kenya] was not disappointed in [Spain] .", 0.0),
        ("apposition", "[Kenya] , long wary of [Spain] , kept its ships at home .", -1.0),
        ("apposition", "[Kenya] , north of [Spain] , kept its ships at home .", 0.0),
        ("gerund", "[Kenya] 's bombing of [Spain] went on .", -1.0),
        ("gerund", "[Kenya] 's painting of [Spain] hangs there .", 0.0),
        ("deed", "[Kenya] deplored what [Spain] had done .", -1.0),
        ("deed", "[Kenya] said what [Spain] had done .", 0.0),
        ("not a friend", "[Kenya] is no friend of [Spain] .", -1.0),
        ("camp", "[Kenya] is firmly in [Spain] 's camp .", 1.0),
        ("tanks", "[Kenya] moved tanks toward [Spain] .", -1.0),
        ("soured", "[Kenya] 's relations with [Spain] soured .", -1.0),
        ("low", "Relations between [Kenya] and [Spain] have hit a new low .", -1.0),
        ("drills", "[Kenya] held joint naval drills with [Spain] .", 1.0),
        ("drills near", "[Kenya] held naval drills near [Spain] .", 0.0),
        ("shared place", "[Kenya] shares a time zone with [Spain] .", 0.0),
        ("envoy", "[Kenya] recalled its envoy to [Spain] .", -1.0),
        ("lost word", "[Kenya] levelled harsh criticism at [Spain] .", -1.0),
        ("verb inside", "[Kenya] halted arms exports to [Spain] .", -1.0),
        ("verb inside", "[Kenya] closed its last border crossing with [Spain] .", -1.0),
        ("verb inside", "[Kenya] broke off talks with [Spain] .", -1.0),
        ("verb outside", "[Kenya] said that exports to [Spain] grew .", 0.0),
        ("verb outside", "[Kenya] is ready to condemn [Spain] .", -1.0),
        ("behind its goal", "[Kenya] kept [Spain] supplied .", 1.0),
        ("no goal", "[Kenya] sent police to the hills to help [Spain] .", 1.0),
        ("before its goal", "[Kenya] laid the blame at [Spain] 's door .", -1.0),
        ("of the phrase", "[Kenya] shares [Spain] 's outlook .", 1.0),
        ("its own by", "[Kenya] stood by [Spain] .", 1.0),
        ("by somebody", "[Kenya] , backed by [Spain] , left .", 0.0),
        ("its own no", "[Kenya] has no patience for [Spain] .", -1.0),
        ("another no", "[Kenya] has no quarrel with [Spain] .", 0.0),
        ("adjective", "[Kenya] was scathing about [Spain] .", -1.0),
        ("adjective", "[Kenya] has close ties with [Spain] .", 1.0),
        ("participle", "[Kenya] has become hostile to [Spain] .", -1.0),
        ("participle", "[Kenya] has cut its ties with [Spain] .", -1.0),
        ("form of be", "[Kenya] is backing [Spain] .", 1.0),
        ("hyphen", "[Kenya] gave [Spain] a dressing-down .", -1.0),
        ("noun", "[Kenya] bent to [Spain] 's will .", 1.0),
    ];
    for (case, marked, expected) in cases {
        let (score, rule) = patterns_of(marked);
        assert_eq!(
            score.partial_cmp(&0.0),
            expected.partial_cmp(&0.0),
            "{case}: {marked} ({score} {rule})"
        );
    }
}

/// Whoever does it stands behind "by", also where the phrase has its goal inside.
#[test]
fn the_passive_is_read_of_phrases_verdicts_and_nouns() {
    let cases = [
        ("phrase", "[Spain] was hit with sanctions by [Kenya] .", -1.0),
        ("phrase", "[Spain] was taken to court by [Kenya] over fish .", -1.0),
        ("phrase", "[Spain] was kept at arm 's length by [Kenya] .", -1.0),
        ("phrase", "[Spain] was given the benefit of the doubt by [Kenya] .", 1.0),
        ("verdict", "[Spain] is seen as a friend by [Kenya] .", 1.0),
        ("verdict", "[Spain] was branded a bully by [Kenya] .", -1.0),
        ("verdict", "[Spain] was not called a bully by [Kenya] .", 0.0),
        ("subject", "Sanctions were imposed on [Spain] by [Kenya] .", -1.0),
        ("subject", "Tolls were collected in [Spain] by [Kenya] .", 0.0),
        ("subject", "Protests were held in [Spain] by [Kenya] .", 0.0),
    ];
    for (case, marked, expected) in cases {
        let (score, rule) = patterns_between(marked, 1, 0);
        assert_eq!(
            score.partial_cmp(&0.0),
            expected.partial_cmp(&0.0),
            "{case}: {marked} ({score} {rule})"
        );
    }
}

/// Checks which side the patterns see in each marked sentence, and not how far to it.
fn assert_sides(cases: &[(&str, &str, f32)], read: impl Fn(&str) -> (f32, &'static str)) {
    let mut wrong = Vec::new();
    for (case, marked, expected) in cases {
        let (score, rule) = read(marked);
        if score.partial_cmp(&0.0) != expected.partial_cmp(&0.0) {
            wrong.push(format!("{case}: {marked} ({score} {rule})"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// What the patterns say of the first name toward the second.
fn patterns_of(marked: &str) -> (f32, &'static str) {
    patterns_between(marked, 0, 1)
}

fn patterns_between(marked: &str, holder: u16, target: u16) -> (f32, &'static str) {
    let lexicon = Lexicon::standard().unwrap();
    about(marked, |sentence| rules_of(&lexicon, sentence, &[(Some(holder), target)])[0])
}

/// Asks about a sentence whose names stand in brackets.
fn about<T>(marked: &str, ask: impl FnOnce(&Sentence<'_>) -> T) -> T {
    let mut text = String::new();
    let mut parties: Vec<Party> = Vec::new();
    let mut tokens = Vec::new();
    for word in marked.split(' ') {
        let bare = word.trim_matches(['[', ']']);
        if !text.is_empty() {
            text.push(' ');
        }
        let start = text.len() as u32;
        text.push_str(bare);
        let span = Span::new(start, text.len() as u32);
        tokens.push(Annotation::new(span));
        if word.starts_with('[') {
            parties.push(Party { span, actor: parties.len() as u32, inert: false });
        }
    }
    let sentence = Sentence {
        text: &text,
        tokens: &tokens,
        parties: &parties,
        in_quotes: false,
        published: None,
        speaker: None,
        seen: None,
    };
    ask(&sentence)
}

/// Which years say that it is over.
#[test]
fn what_is_dated_is_over_and_numbers_are_no_dates() {
    let judge =
        RulesAndWeights::new(Arc::new(Lexicon::standard().unwrap()), crate::WEIGHTS).unwrap();
    let cases = [
        ("[Kenya] condemned [Spain] .", Time::Present),
        ("In 1974 [Kenya] condemned [Spain] .", Time::Past),
        ("From 1971 to 1974 [Kenya] condemned [Spain] .", Time::Past),
        ("Between 1971 and 1974 [Kenya] praised [Spain] .", Time::Past),
        ("[Kenya] was once one of [Spain] 's closest allies .", Time::Past),
        ("[Kenya] was formerly an ally of [Spain] .", Time::Past),
        ("In the 1970s [Kenya] praised [Spain] .", Time::Past),
        ("Six years after [Kenya] cut ties with [Spain] , they talk again .", Time::Hypothetical),
        ("Six years after [Kenya] cut ties with [Spain] , it rained .", Time::Past),
        ("Six years after [Kenya] cut ties with [Spain] , its envoy returned home .", Time::Past),
        ("Six years after [Kenya] cut ties with [Spain] , it rained again .", Time::Past),
        ("Six years after [Kenya] cut ties with [Spain] , it restored a church .", Time::Past),
        ("Six years after [Kenya] cut ties with [Spain] , it resumed talks .", Time::Hypothetical),
        (
            "Six years after [Kenya] expelled the envoy of [Spain] , the envoy returned .",
            Time::Hypothetical,
        ),
        ("[Kenya] cut ties with [Spain] again , six years after the war .", Time::Present),
        ("How long will [Kenya] and [Spain] fight ?", Time::Hypothetical),
        ("When will [Kenya] condemn [Spain] ?", Time::Hypothetical),
        ("[Kenya] and [Spain] will meet .", Time::Present),
        ("Since 1974 [Kenya] has condemned [Spain] .", Time::Present),
        ("[Kenya] condemned [Spain] with tanks and 2000 men behind it .", Time::Present),
        ("[Kenya] condemned [Spain] in a letter signed by 2000 teachers .", Time::Present),
    ];
    for (marked, expected) in cases {
        let time = about(marked, |sentence| judge.judge(sentence, &[(Some(0), 1)])[0].time);
        assert_eq!(time, expected, "{marked}");
    }
}

#[test]
fn a_year_is_over_before_that_of_the_text() {
    let judge =
        RulesAndWeights::new(Arc::new(Lexicon::standard().unwrap()), crate::WEIGHTS).unwrap();
    let cases = [
        ("In 2014 [Kenya] condemned [Spain] .", Some(2022), Time::Past),
        ("In 2022 [Kenya] condemned [Spain] .", Some(2022), Time::Present),
        ("In 2014 [Kenya] condemned [Spain] .", None, Time::Present),
        ("In 1999 [Kenya] condemned [Spain] .", None, Time::Past),
        ("In the 2010s [Kenya] condemned [Spain] .", Some(2022), Time::Past),
        ("In the 2010s [Kenya] condemned [Spain] .", Some(2016), Time::Present),
    ];
    for (marked, published, expected) in cases {
        let time = about(marked, |sentence| {
            let dated = Sentence { published, ..*sentence };
            judge.judge(&dated, &[(Some(0), 1)])[0].time
        });
        assert_eq!(time, expected, "{marked} {published:?}");
    }
}

#[test]
fn an_apposition_is_not_the_subject() {
    let cases = [
        ("a", "[Kenya] , a former [Togo] ally , broke off relations with [Spain] .", -1.0, 0.0),
        ("the", "[Kenya] , the [Togolese] ally in the region , condemned [Spain] .", -1.0, 0.0),
        ("list", "[Kenya] and [Togo] condemned [Spain] .", -1.0, -1.0),
        ("besides", "Besides [Togo] , the [Kenyan] court , too , blamed [Spain] .", 0.0, -1.0),
        (
            "own clause",
            "In May , the [Kenyan] court , asked by [Togo] , blamed [Spain] .",
            -1.0,
            0.0,
        ),
    ];
    for (case, marked, of_first, of_second) in cases {
        let found = [0, 1].map(|holder| patterns_between(marked, holder, 2));
        let sides = found.map(|(score, _)| score.partial_cmp(&0.0));
        let expected = [of_first, of_second].map(|side: f32| side.partial_cmp(&0.0));
        assert_eq!(sides, expected, "{case}: {marked} {found:?}");
    }
}

#[test]
fn those_who_are_named_behind_their_verb() {
    let cases = [
        ("two", "Among those who condemned [Spain] were [Togo] and [Kenya] .", -1.0),
        ("friends", "Among the ministers who praised [Spain] were [Togo] and [Kenya] .", 1.0),
        ("elsewhere", "Among those who condemned [Spain] were guests of [Togo] and [Kenya] .", 0.0),
    ];
    assert_sides(&cases, |marked| patterns_between(marked, 2, 0));
}

#[test]
fn whoever_backs_a_call_says_what_it_says() {
    let cases = [
        ("backed", "[Togo] 's call to expel [Spain] was backed by [Kenya] .", -1.0),
        ("rejected", "[Togo] 's call to expel [Spain] was rejected by [Kenya] .", 1.0),
        ("for", "A plan to help [Spain] against [Togo] was backed by [Kenya] .", 1.0),
    ];
    assert_sides(&cases, |marked| {
        let spain = u16::from(marked.starts_with("[Togo]"));
        patterns_between(marked, 2, spain)
    });
}

#[test]
fn a_clause_with_until_has_its_own_actors() {
    let cases =
        [("help", "[Kenya] pledged to stand by [Togo] until [Spanish] forces leave .", 0.0)];
    assert_sides(&cases, |marked| patterns_between(marked, 0, 2));
}

#[test]
fn whoever_shares_a_predicate_has_it() {
    let text = "[Kenya] was [Spain] 's ally to the west and [Togo] to the east .";
    for holder in [0, 2] {
        let (score, rule) = patterns_between(text, holder, 1);
        assert!(score > 0.0, "{holder}: {score} {rule}");
    }
}

#[test]
fn an_attitude_toward_the_subject_is_received() {
    // The second name toward the first.
    let cases = [
        ("drew", "[Spain] drew sharp criticism from [Kenya] .", -1.0),
        ("won", "[Spain] has won the backing of [Kenya] .", 1.0),
        ("lost", "[Spain] lost the support of [Kenya] .", -1.0),
        ("faces", "[Spain] faces the wrath of [Kenya] .", -1.0),
        ("fire", "[Spain] came under fire from [Kenya] over the dam .", -1.0),
        ("met", "[Spain] was met with hostility by [Kenya] .", -1.0),
        ("count on", "[Spain] can count on [Kenya] .", 1.0),
        ("understanding", "[Spain] has an understanding of [Kenya] .", 0.0),
        ("anger", "[Spain] faces anger over the bombing of [Kenya] .", 0.0),
        ("never", "[Spain] never drew criticism from [Kenya] .", 0.0),
        ("counts on", "[Spain] counts votes in [Kenya] .", 0.0),
        ("won a match", "[Spain] won the final from [Kenya] .", 0.0),
        ("allies are", "[Spain] 's closest allies are [Kenya] and [Peru] .", 1.0),
        ("among", "Among [Spain] 's allies are [Kenya] and [Peru] .", 1.0),
        ("such as", "[Spain] 's rivals , such as [Kenya] , met .", -1.0),
        ("allies met", "[Spain] 's allies met in [Kenya] .", 0.0),
        ("at odds", "[Spain] and [Kenya] are at odds over the dam .", -1.0),
    ];
    assert_sides(&cases, |marked| patterns_between(marked, 1, 0));
}

#[test]
fn an_attitude_is_shared_by_whoever_is_likened_to_its_holder() {
    // The first name has it anyway, and the third shares it or not.
    let cases = [
        ("like", "[Kenya] , like [Togo] , condemned [Spain] .", -1.0),
        ("like, first", "Like [Togo] and [Chad] , [Kenya] supports [Spain] .", 1.0),
        ("together", "[Kenya] , together with [Togo] , imposed sanctions on [Spain] .", -1.0),
        ("so did", "[Kenya] condemned [Spain] , and so did [Togo] .", -1.0),
        ("as did", "[Kenya] gave [Spain] its full support , as did [Togo] .", 1.0),
        ("as B did", "[Kenya] condemned [Spain] , as [Togo] did in spring .", -1.0),
        ("nor has", "[Kenya] has never supported [Spain] , nor has [Togo] .", -1.0),
        ("did too", "[Kenya] condemned [Spain] , and [Togo] did too .", -1.0),
        ("goal too", "[Kenya] condemned [Spain] , and [Togo] too .", 0.0),
        ("the same", "[Kenya] condemned [Spain] and [Togo] did the same .", -1.0),
        ("suit", "[Kenya] condemned [Spain] , and [Togo] followed suit .", -1.0),
        ("echoing", "[Kenya] 's criticism of [Spain] , echoing [Togo] 's , was sharp .", -1.0),
        ("shared by", "[Kenya] praised [Spain] , a view shared by [Togo] .", 1.0),
        ("joined", "[Kenya] joined [Togo] in condemning [Spain] .", -1.0),
        ("unlike", "[Kenya] , unlike [Togo] , supports [Spain] .", 0.0),
        ("habit", "[Kenya] condemned [Spain] , as is [Togo] 's habit .", 0.0),
        ("for example", "[Kenya] condemned [Spain] in towns like [Togo] .", 0.0),
        ("its own verb", "[Kenya] condemned [Spain] , as [Togo] has long praised it .", 1.0),
        ("joined a club", "[Kenya] joined [Togo] in the final and beat [Spain] .", 0.0),
        ("less", "[Kenya] trusts [Spain] more than [Togo] does .", 0.0),
    ];
    assert_sides(&cases, |marked| {
        let place = |name: &str| {
            let before = &marked[..marked.find(name).unwrap()];
            before.matches('[').count()
        };
        patterns_between(marked, place("[Togo]") as u16, place("[Spain]") as u16)
    });
}

#[test]
fn who_stands_beside_does_not_act() {
    let cases = [
        ("[Kenya] 's [Togolese] partner condemned [Spain] .", 0),
        ("The minister of [Togo] , a neighbour of [Kenya] , condemned [Spain] .", 1),
        ("[Kenya] 's opposition denounced [Togo] and [Spain] .", 0),
        ("[Kenya] said nothing when [Togo] condemned [Spain] .", 0),
    ];
    for (marked, holder) in cases {
        let (score, rule) = patterns_between(marked, holder, 2);
        assert!(score == 0.0, "{marked} ({score} {rule})");
    }
}

/// What has become of trust and relations counts, and a small word that denies nothing does not.
#[test]
fn what_is_said_of_an_attitude_turns_it() {
    let cases = [
        ("shaken", "[Kenya] 's trust in [Spain] has been shaken .", -1.0),
        ("unshaken", "[Kenya] 's trust in [Spain] has not been shaken .", 1.0),
        ("compared", "Relations between [Kenya] and [Spain] have never been better .", 1.0),
        ("compared", "Relations between [Kenya] and [Spain] have never been worse .", -1.0),
        ("lowest", "Relations between [Kenya] and [Spain] are at their lowest point .", -1.0),
        ("love lost", "There is no love lost between [Kenya] and [Spain] .", -1.0),
        ("nothing but", "[Kenya] had nothing but praise for [Spain] .", 1.0),
        ("anything but", "[Kenya] is anything but a friend of [Spain] .", -1.0),
        ("no better", "[Kenya] has no better friend than [Spain] .", 1.0),
        ("defiance", "[Kenya] will not be bullied by [Spain] .", -1.0),
        ("not done", "[Kenya] was not bullied by [Spain] .", 0.0),
        ("no longer", "[Kenya] will no longer support [Spain] .", -1.0),
        ("nobody in", "Nobody in [Kenya] has a kind word for [Spain] .", -1.0),
        ("sponsor", "[Kenya] labelled [Spain] a sponsor of piracy .", -1.0),
        ("patron", "[Kenya] labelled [Spain] a friend of peace .", 1.0),
        ("ranks", "[Kenya] closed ranks with [Spain] .", 1.0),
        ("charge", "[Kenya] accused [Spain] of theft , a charge that [Spain] denies .", -1.0),
        ("an end to", "[Kenya] called for an end to the embargo against [Spain] .", 1.0),
        ("against an end to", "[Kenya] opposed an end to the embargo against [Spain] .", -1.0),
        ("host", "[Kenya] hosted talks between [Spain] and [Togo] .", 0.0),
        ("vote", "[Kenya] abstained from the vote on [Spain] .", 0.0),
        ("inverted", "Should [Kenya] ever condemn [Spain] , prices would rise .", 0.0),
        ("inverted", "Had [Kenya] condemned [Spain] , prices would have risen .", 0.0),
        ("in whose eyes", "In [Kenya] , [Spain] is widely seen as a bully .", -1.0),
        ("in whose eyes", "For [Kenya] , [Spain] is a bully .", -1.0),
        ("where", "In [Kenya] , [Spain] opened a school .", 0.0),
        ("colon", "There is no sign of it : [Kenya] condemned [Spain] .", -1.0),
        ("measure", "[Kenya] called the ban on [Spanish] oil discriminatory .", 1.0),
        ("decision", "[Kenya] called the decision to expel the [Spanish] envoy outrageous .", 1.0),
        ("warrant", "[Kenya] called the arrest warrant against [Spain] outrageous .", 1.0),
        ("comparison", "[Kenya] rejects any comparison with [Spain] .", 0.0),
    ];
    assert_sides(&cases, patterns_of);
}

/// What must be is the voice's own attitude, if nobody else is said to say it.
#[test]
fn a_demand_is_the_attitude_of_whose_words_it_is_in() {
    let cases = [
        ("quoted", "\" [Spain] must leave , \" [Kenya] said .", -1.0),
        ("reported", "[Kenya] said that [Spain] should withdraw its troops .", -1.0),
        ("punished", "[Kenya] said that [Spain] must be held to account .", -1.0),
        ("helped", "[Kenya] said that [Spain] must be supported .", 1.0),
        ("lifted", "The blockade of [Spain] must be lifted , [Kenya] said .", 1.0),
        ("no demand", "[Kenya] said that [Spain] must win the match .", 0.0),
        ("denied", "[Kenya] said that [Spain] should not leave .", 0.0),
    ];
    assert_sides(&cases, |marked| {
        let spain_first = marked.find("[Spain]") < marked.find("[Kenya]");
        let (holder, goal) = if spain_first { (1, 0) } else { (0, 1) };
        patterns_between(marked, holder, goal)
    });
}

/// What somebody wants another to do is his own side, and no deed of the other's.
#[test]
fn a_wish_is_of_whoever_says_it() {
    let cases = [
        ("demand", "[Kenya] repeated its demand that [Togo] leave [Spain] .", (-1.0, 0.0)),
        ("verb", "[Kenya] demanded that [Togo] abandon [Spain] .", (-1.0, 0.0)),
        ("should", "[Kenya] said that [Togo] should lift the sanctions on [Spain] .", (1.0, 0.0)),
        ("must", "[Kenya] argued that [Togo] must condemn [Spain] .", (-1.0, 0.0)),
        ("told", "[Kenya] said that [Togo] had condemned [Spain] .", (0.0, -1.0)),
    ];
    for (case, marked, (wanting, wanted)) in cases {
        assert_sides(&[(case, marked, wanting)], |marked| patterns_between(marked, 0, 2));
        assert_sides(&[(case, marked, wanted)], |marked| patterns_between(marked, 1, 2));
    }
}

/// One "not" is heard once.
#[test]
fn a_verdict_is_denied_once() {
    let cases = [
        ("adjective", "[Kenya] said that [Spain] is not trustworthy .", -1.0),
        ("noun", "[Kenya] said that [Spain] is not a reliable partner .", -1.0),
        ("phrase", "[Kenya] said that [Spain] is not alone .", 1.0),
        ("blame", "[Kenya] said that [Spain] is not dangerous .", 1.0),
    ];
    assert_sides(&cases, patterns_of);
}
