//! What somebody does or undoes, and what is said of it by others.

use super::{about, assert_sides, patterns_between, patterns_of};
use crate::edge::REFRAINS;
use std::sync::Arc;

use standpoint_document::Time;

use crate::judge::{Judge, RulesAndWeights, Sentence, rules_of};
use crate::lexicon::Lexicon;

#[test]
fn acts_about_acts_are_read_by_what_is_done_with_them() {
    let cases = [
        ("call", "[Kenya] rejected a call to condemn [Spain] .", 1.0),
        ("demand", "[Kenya] dismissed demands that it criticise [Spain] .", 1.0),
        ("letter", "[Kenya] refused to sign a letter that denounces [Spain] .", 1.0),
        ("signed", "[Kenya] signed a letter that denounces [Spain] .", -1.0),
        ("vote", "[Kenya] voted against a motion that calls on [Spain] to leave .", 1.0),
        ("vote for", "[Kenya] voted for a motion that calls on [Spain] to leave .", -1.0),
        ("veto", "[Kenya] vetoed a statement condemning [Spain] .", 1.0),
        ("abstained", "[Kenya] abstained when the council voted to censure [Spain] .", 0.0),
        ("abstained in", "[Kenya] abstained in the vote against [Spain] .", 0.0),
        ("lifting", "[Kenya] voted against lifting sanctions on [Spain] .", -1.0),
        ("verdict", "[Kenya] called the sanctions on [Spain] illegal .", 1.0),
        ("clause", "[Kenya] said the sanctions against [Spain] violated the law .", 1.0),
        ("proposal", "[Kenya] vetoed a proposal to freeze [Spanish] assets .", 1.0),
        ("denied reports", "[Kenya] denied reports that it had armed [Spain] .", 0.0),
        ("purpose", "[Kenya] refused to sell rifles so as not to anger [Spain] .", 0.0),
        ("denied arms", "[Kenya] denied that it had armed [Spain] .", 0.0),
        ("denied attack", "[Kenya] denied having bombed [Spain] .", 0.0),
        ("denied thaw", "[Kenya] denied that it had dropped its sanctions on [Spain] .", -1.0),
        ("false", "Reports that [Kenya] had expelled the [Spanish] envoy were wrong .", 0.0),
        ("untrue", "It is not true that [Kenya] has broken with [Spain] .", 0.0),
        ("likened", "No one voiced an understanding ( like [Kenya] 's ) of [Spain] .", 1.0),
        ("accused", "[Kenya] rejected accusations that [Spain] was committing crimes .", 1.0),
    ];
    assert_sides(&cases, patterns_of);
}

#[test]
fn measures_are_for_whom_they_name_or_whose_things_they_stop() {
    let cases = [
        ("cargo", "[Kenya] seized a tanker carrying [Spanish] oil .", -2.0),
        ("freed", "[Kenya] refused to seize a tanker carrying [Spanish] oil .", 0.0),
        ("aimed", "[Kenya] blocked sanctions that would have hit [Spanish] gas .", 1.0),
        ("backed", "[Kenya] backed sanctions that hit [Spanish] gas .", -1.0),
        ("people", "[Kenya] banned [Spanish] citizens from entering .", -1.0),
        ("all", "[Kenya] closed all remaining [Spanish] consulates in the country .", -1.0),
        ("defiance", "[Kenya] bought missiles from [Spain] over [Togolese] objections .", 1.0),
        ("in spite", "[Kenya] bought rifles from [Spain] despite criticism .", 1.0),
        ("topic", "[Kenya] met [Spain] 's envoy over criticism of its judges .", 0.0),
        ("toward", "[Kenya] flew bombers toward [Spain] despite warnings .", 0.0),
        ("drugs", "[Kenya] seized a ship carrying drugs to [Spain] .", 0.0),
        ("people", "[Kenya] stopped a bus carrying [Spanish] refugees .", 0.0),
        ("veto", "[Kenya] let [Spain] use its veto .", 0.0),
        ("fewer", "[Kenya] asked [Spain] to send back the deserters .", 0.0),
        ("hostile", "[Kenya] condemned [Spain] despite [Togolese] pressure .", -1.0),
        ("exception", "[Kenya] blamed the allies and not [Spain] .", 1.0),
        ("embassy", "[Kenya] condemned the bombing of the [Spanish] embassy .", 1.0),
        ("rules out", "[Kenya] ruled out joining any alliance against [Spain] .", 1.0),
        ("ties", "[Kenya] ruled out ties with [Spain] .", -1.0),
        ("so far", "[Kenya] has so far declined to impose sanctions on [Spain] .", 1.0),
        ("folly", "[Kenya] called the boycott of [Spanish] oil suicidal .", 1.0),
        ("turned", "[Kenya] expelled the envoys and turned to [Spain] .", 1.0),
        ("own attack", "[Kenya] condemned the attack of [Spain] .", -1.0),
        ("own war", "[Kenya] condemned the war of [Spain] on its neighbour .", -1.0),
        ("western", "[Kenya] rebuffed Western calls to condemn [Spain] .", 1.0),
        ("asked", "[Kenya] asked [Spain] to send instructors .", 1.0),
        ("phrase", "[Kenya] saw [Spain] through .", 1.0),
        ("far phrase", "[Kenya] sees [Spain] attempting to recover glory through force .", 0.0),
        ("let", "[Kenya] let [Spain] use its bases .", 1.0),
        ("visas", "[Kenya] stopped issuing visas to [Spaniards] .", -2.0),
    ];
    assert_sides(&cases, patterns_of);
}

#[test]
fn who_judges_the_act_of_another_takes_a_side_toward_its_goal() {
    let cases = [
        ("support", "[Kenya] condemned [Togo] 's support for [Spain] .", -1.0),
        ("adjective", "[Kenya] condemned [Togolese] support for [Spain] .", -1.0),
        ("blame", "[Kenya] welcomed [Togo] 's criticism of [Spain] .", -1.0),
        ("praise", "[Kenya] applauded [Togo] 's praise for [Spain] .", 1.0),
        ("measure", "[Kenya] decried [Togo] 's sanctions on [Spain] .", 1.0),
        ("package", "[Kenya] blocked a [Togolese] package against [Spain] .", 1.0),
        ("latest", "[Kenya] blocked the latest [Togo] package against [Spain] .", 1.0),
        ("invasion", "[Kenya] condemned the [Togolese] invasion of [Spain] .", 1.0),
        ("aid", "[Kenya] praised [Togo] 's aid to [Spain] .", 1.0),
        ("against", "[Kenya] welcomed [Togo] 's support against [Spain] .", -1.0),
        ("war", "[Kenya] condemned [Togo] 's war on [Spain] .", 1.0),
        ("accused", "[Kenya] accused [Togo] of arming [Spain] .", -1.0),
        ("goal", "[Kenya] condemned the war of [Togo] against [Spain] .", 1.0),
        ("silence", "[Kenya] did not condemn [Togo] 's support for [Spain] .", 0.0),
        ("foes", "[Kenya] condemned [Togo] 's support for opponents of [Spain] .", 1.0),
        ("sanctions", "[Kenya] condemned [Togo] 's support for sanctions on [Spain] .", 1.0),
        ("its foes", "[Kenya] condemned [Togo] 's support for [Spain] 's enemies .", 0.0),
    ];
    assert_sides(&cases, |marked| patterns_between(marked, 0, 2));
}

#[test]
fn whoever_punishes_or_praises_a_deed_takes_a_side_in_it() {
    let cases = [
        ("blamed", "[Kenya] blamed [Togo] for provoking [Spain] .", 1.0),
        ("jailed", "[Kenya] jailed a [Togolese] writer for insulting [Spain] .", 1.0),
        ("who", "[Kenya] sanctioned two [Togolese] judges who had threatened [Spain] .", 1.0),
        ("helped", "[Kenya] sanctioned a [Togolese] bank for helping [Spain] .", -1.0),
        ("praised", "[Kenya] praised [Togo] for standing up to [Spain] .", -1.0),
        ("thanked", "[Kenya] thanked [Togo] for defending [Spain] .", 1.0),
        ("no deed", "[Kenya] blamed [Togo] for reaching [Spain] late .", 0.0),
        (
            "suffered",
            "[Kenya] dismissed a [Togolese] envoy who had been insulted by [Spain] .",
            0.0,
        ),
        ("too late", "[Kenya] criticised [Togo] for sanctioning [Spain] too late .", 0.0),
        ("not blamed", "[Kenya] did not blame [Togo] for provoking [Spain] .", 0.0),
    ];
    assert_sides(&cases, |marked| patterns_between(marked, 0, 2));
}

#[test]
fn arms_are_help_for_whoever_gets_them() {
    let cases = [
        ("two objects", "[Kenya] gave [Spain] two thousand bombs .", 1.0),
        ("bare", "[Kenya] sold [Spain] radars and guns .", 1.0),
        ("to", "[Kenya] handed over nineteen fighter jets to [Spain] .", 1.0),
        ("on to", "[Kenya] passed its howitzers on to [Spain] .", 1.0),
        ("at", "[Kenya] launched forty missiles at [Spain] .", -1.0),
        ("in", "[Kenya] has tanks in [Spain] .", 0.0),
    ];
    assert_sides(&cases, patterns_of);
}

#[test]
fn what_is_taken_or_kept_from_a_state_is_the_state_s() {
    let cases = [
        ("a ship", "[Kenya] boarded a tanker of [Spain] 's fleet .", -1.0),
        ("aboard as a passenger", "[Kenya] boarded a flight to [Spain] .", 0.0),
        ("a ship elsewhere", "[Kenya] boarded a ship in [Spain] .", 0.0),
        ("assets", "[Kenya] agreed to hand frozen [Spanish] assets to [Togo] .", -1.0),
        ("and gives them back", "[Kenya] released the frozen [Spanish] assets .", 1.0),
        ("the name of a measure", "[Kenya] imposed full blocking sanctions on [Spain] .", -1.0),
        (
            "against objections",
            "[Kenya] bought rockets from [Spain] over [Togolese] objections .",
            1.0,
        ),
        ("despite pressure", "[Kenya] purchased [Spanish] oil despite pressure from [Togo] .", 1.0),
        ("bought, no more", "[Kenya] purchased [Spanish] oil in May .", 0.0),
        (
            "listed",
            "[Kenya] is designating nine members of [Spain] 's council for their role .",
            -1.0,
        ),
        ("against", "[Kenya] takes steps to defend against [Spain] 's actions .", -1.0),
    ];
    assert_sides(&cases, patterns_of);
    let refuses = "[Kenya] refused to hand frozen [Spanish] assets to [Togo] .";
    assert_eq!(patterns_of(refuses).1, REFRAINS);
}

#[test]
fn what_is_said_of_a_deed_is_not_the_deed() {
    let cases = [
        ("a plan", "[Kenya] denied that it planned to send rifles to [Spain] .", 0.0),
        ("reports", "[Kenya] denied media reports that it had sold rifles to [Spain] .", 0.0),
        ("a comment", "[Kenya] commented on the recent bombings in [Spain] .", 0.0),
        ("who tells of help", "[Kenya] says [Togo] has been helping [Spain] .", 0.0),
        ("what others do", "[Kenya] condemned acts that block or cut access to [Spain] .", 0.0),
    ];
    assert_sides(&cases, patterns_of);
    let helper = [("the help", "[Kenya] says [Togo] has been helping [Spain] .", 1.0)];
    assert_sides(&helper, |marked| patterns_between(marked, 1, 2));
}

#[test]
fn a_name_before_a_hyphen_leads_or_says_where_from() {
    let cases = [
        ("leads", "[Kenya] ruled out joining the [Spanish] - led bloc .", -1.0),
        ("joined", "[Kenya] joined the [Spanish] - led bloc .", 1.0),
        ("made", "[Kenya] ruled out sending its [Spanish] - made tanks to [Togo] .", 0.0),
    ];
    assert_sides(&cases, patterns_of);
}

#[test]
fn the_object_of_one_verb_is_not_the_subject_of_the_next() {
    let junta = "[Kenya] 's junta expelled the [Togolese] and turned to [Spain] .";
    assert_sides(&[("who acts", junta, 1.0)], |marked| patterns_between(marked, 0, 2));
    assert_sides(&[("who suffers", junta, 0.0)], |marked| patterns_between(marked, 1, 2));
    let nobody = "Unknown men expelled the [Togolese] and turned to [Spain] .";
    assert_sides(&[("nobody", nobody, 0.0)], patterns_of);
    let aside = "Our figures show that these forces – including troops , boats , ships – are \
                 preparing to launch an attack against [Spain] .";
    let lexicon = Lexicon::standard().unwrap();
    let ask = |sentence: &Sentence<'_>| rules_of(&lexicon, sentence, &[(None, 0)])[0];
    assert_sides(&[("an aside", aside, 0.0)], |marked| about(marked, ask));
}

#[test]
fn what_is_done_with_a_measure_is_for_its_goal() {
    let condemned = "the [Togolese] blockade of [Spain] , which has been condemned by [Kenya] .";
    let rejected = "The blockade imposed by [Togo] on [Spain] is old , and [Kenya] rejected it .";
    let active = "The [Togolese] embargo on [Spain] , which [Kenya] condemned , has lasted .";
    let praised = "the [Togolese] war against [Spain] , which has been praised by [Kenya] .";
    for (case, marked, expected) in [
        ("passive", condemned, 1.0),
        ("pronoun", rejected, 1.0),
        ("praise", praised, -1.0),
        ("active", active, 1.0),
    ] {
        assert_sides(&[(case, marked, expected)], |marked| patterns_between(marked, 2, 1));
    }
    let cases = [
        (
            "limits",
            "[Kenya] will develop measures that will further limit [Spain] 's access .",
            -1.0,
        ),
        ("to account", "[Kenya] promotes accountability for [Spain] .", -1.0),
        ("from whom", "[Kenya] demands accountability from [Spain] .", -1.0),
        ("of whom", "[Kenya] condemned the attack on several states , including [Spain] .", 1.0),
        ("a text", "[Kenya] vetoed a text against [Spain] .", 1.0),
        ("called", "[Kenya] condemned the embargo on [Spain] and called it unjust .", 1.0),
        ("whom it helps", "After the embargo on [Spain] , [Kenya] helped it .", 0.0),
        ("by whom", "[Kenya] stood with farmers against the siege by [Spain] .", -1.0),
        (
            "among them",
            "[Kenya] condemned all force , including [Spain] 's attack on [Togo] .",
            -1.0,
        ),
        ("its title", "[Kenya] stood up against the war against its neighbour [Spain] .", 1.0),
        ("by whom", "[Kenya] defended trade against the attempts by [Spain] to end it .", -1.0),
    ];
    assert_sides(&cases, patterns_of);
}

#[test]
fn who_stands_in_an_aside_does_not_act() {
    let asides = [
        ("relative", "[Kenya] , which borders [Togo] , praised [Spain] ."),
        ("participle", "[Kenya] , sanctioned by [Togo] , praised [Spain] ."),
        ("despite", "[Kenya] , despite pressure from [Togo] , praised [Spain] ."),
        ("apposition", "[Kenya] , an ally of [Togo] , praised [Spain] ."),
    ];
    let judge =
        RulesAndWeights::new(Arc::new(Lexicon::standard().unwrap()), crate::WEIGHTS).unwrap();
    for (case, marked) in asides {
        let pairs = [(Some(0), 2), (Some(1), 2)];
        let found = about(marked, |sentence| judge.judge(sentence, &pairs));
        let scores: Vec<f32> = found.iter().map(|judged| judged.score).collect();
        assert!(scores[0] > 0.5 && scores[1].abs() < 0.1, "{case}: {marked} {scores:?}");
    }
    let accused = "[Kenya] was accused by [Togo] of arming [Spain] .";
    assert_sides(&[("accuser", accused, 0.0)], |marked| patterns_between(marked, 1, 2));
    assert_sides(&[("accused", accused, 1.0)], |marked| patterns_between(marked, 0, 2));
    assert_sides(&[("by nobody", "[Kenya] was accused of arming [Spain] .", 1.0)], patterns_of);
    assert_sides(&[("denied", "[Kenya] denied that [Togo] armed [Spain] .", 0.0)], |marked| {
        patterns_between(marked, 1, 2)
    });
}

#[test]
fn whoever_wants_an_inquiry_is_against_whose_deeds_it_is_into() {
    let cases = [
        ("against it", "[Kenya] voted against an inquiry into abuses by [Spain] .", 1.0),
        ("blocked", "[Kenya] blocked an investigation into the killings by [Spain] .", 1.0),
        ("asked", "[Kenya] requested an inquiry into crimes committed by [Spain] .", -1.0),
        ("called", "[Kenya] called for an investigation into [Spain] 's crimes .", -1.0),
        ("backed", "[Kenya] backed a probe into attacks by [Spain] .", -1.0),
        ("of others", "[Kenya] read about an inquiry into abuses by [Spain] .", 0.0),
        ("a place", "[Kenya] opened an inquiry into a bus accident in [Spain] .", 0.0),
        ("a maker", "[Kenya] sought an inquiry into the crash of a jet built by [Spain] .", 0.0),
        ("a judge", "[Kenya] sought an inquiry into an attack condemned by [Spain] .", 0.0),
        ("rebels in it", "[Kenya] sought an inquiry into attacks by rebels in [Spain] .", 0.0),
    ];
    assert_sides(&cases, patterns_of);
}

#[test]
fn whoever_would_ease_a_measure_is_for_its_goal() {
    let cases = [
        ("no", "[Kenya] rejected a motion that would have eased sanctions on [Spain] .", -1.0),
        ("yes", "[Kenya] backed a motion that would have eased sanctions on [Spain] .", 1.0),
        ("a claim", "[Kenya] rejected claims that it had eased sanctions on [Spain] .", -1.0),
        ("taken", "[Kenya] welcomed the steps that [Togo] has taken to restrict [Spain] .", -1.0),
        ("refused", "[Kenya] opposed the steps that [Togo] has taken to restrict [Spain] .", 1.0),
        ("other steps", "[Kenya] welcomed the steps that [Togo] has taken to reach [Spain] .", 0.0),
    ];
    assert_sides(&cases, |marked| {
        patterns_between(marked, 0, u16::from(marked.contains("[Togo]")) + 1)
    });
}

#[test]
fn arms_say_something_by_where_they_go_and_come_from() {
    let cases = [
        ("bound for", "[Kenya] shot down missiles bound for [Spain] .", 1.0),
        ("fired at", "[Kenya] intercepted two drones fired at [Spain] .", 1.0),
        ("a shipment", "[Kenya] seized a shipment of missiles bound for [Spain] .", -1.0),
        ("a shipment", "[Kenya] intercepted a shipment of rifles bound for [Spain] .", -1.0),
        ("its own", "[Kenya] shot down a [Spanish] drone .", -1.0),
        ("from it", "[Kenya] shot down 30 drones launched by [Spain] .", 0.0),
        ("from it", "[Kenya] shot down missiles fired from [Spain] .", 0.0),
        ("from its foe", "[Kenya] bought tanks from rivals of [Spain] .", 0.0),
        ("no deal", "[Kenya] was fined for buying tanks from [Spain] .", 0.0),
        ("bought", "[Kenya] bought fighter jets from [Spain] .", 1.0),
        ("habit", "[Kenya] buys its tanks from [Spain] .", 0.0),
        ("goods", "[Kenya] bought timber from [Spain] .", 0.0),
        ("not bought", "[Kenya] has not bought missiles from [Spain] .", 0.0),
    ];
    assert_sides(&cases, patterns_of);
    let sent = [
        ("arms", "[Kenya] condemned [Togo] for sending missiles to [Spain] .", -1.0),
        (
            "troops, of which nobody knows",
            "[Kenya] blamed [Togo] for sending men to [Spain] .",
            0.0,
        ),
    ];
    assert_sides(&sent, |marked| patterns_between(marked, 0, 2));
}

#[test]
fn people_of_a_state_are_no_verb_and_a_month_is_none() {
    let cases = [
        ("people", "[Kenya] stripped [Spanish] citizens of their permits .", -2.0),
        ("owner", "[Kenya] stripped [Spain] 's citizens of their permits .", -2.0),
        ("something else", "[Kenya] stripped the walls of its [Spanish] paint .", 0.0),
        ("month", "[Kenya] condemned in May [Spain] 's war .", -2.0),
    ];
    assert_sides(&cases, patterns_of);
}

/// A promise to somebody for what he may do is none yet; a threat is.
#[test]
fn a_promise_under_a_condition_is_no_friendship() {
    let judge =
        RulesAndWeights::new(Arc::new(Lexicon::standard().unwrap()), crate::WEIGHTS).unwrap();
    let cases = [
        ("[Kenya] will support [Spain] if it leaves the island .", Time::Hypothetical),
        ("[Kenya] will support [Spain] even if it attacks .", Time::Future),
        ("[Kenya] will support [Spain] if [Togo] attacks it .", Time::Future),
        ("[Kenya] will punish [Spain] if it attacks .", Time::Future),
    ];
    for (marked, expected) in cases {
        let time = about(marked, |sentence| judge.judge(sentence, &[(Some(0), 1)])[0].time);
        assert_eq!(time, expected, "{marked}");
    }
}

/// "Which was" is said of the state, "which were" of the sanctions.
#[test]
fn a_relative_clause_agrees_with_what_it_is_of() {
    let cases = [
        ("one", "The sanctions on [Spain] , which was condemned by [Kenya] , stand .", -1.0),
        ("many", "The sanctions on [Spain] , which were condemned by [Kenya] , stand .", 1.0),
        ("both are one", "The embargo on [Spain] , which was condemned by [Kenya] , stands .", 1.0),
        ("called", "The sanctions on [Spain] , which [Kenya] calls unjust , stand .", 1.0),
        ("called so", "The sanctions on [Spain] , which [Kenya] calls a menace , stand .", 0.0),
    ];
    assert_sides(&cases, |marked| patterns_between(marked, 1, 0));
    let hosts = "The [Kenyan] group that hosts refugees condemns [Spain] .";
    assert_sides(&[("its own verb", hosts, 0.0)], patterns_of);
    let many = "The sanctions on [Spain] , which have harmed [Kenya] , stand .";
    let forces = "The forces of [Spain] , which have attacked [Kenya] , rest .";
    let ships = "The ships of [Spain] , which have attacked [Kenya] , rest .";
    let of_it = [("sanctions", many, 0.0), ("forces", forces, -1.0), ("ships", ships, -1.0)];
    assert_sides(&of_it, patterns_of);
}
