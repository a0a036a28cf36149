//! Charts as SVG, drawn by the server: no script, no style attribute, and a table of the same
//! numbers.

use std::fmt::Write as _;

use maud::{Markup, html};

use crate::overview::{ActorFigure, Mean, Point};
use crate::text::{side, signed};

/// Half the width of a bar's field, in its own units.
const HALF: f64 = 100.0;

/// A score as a bar from the middle, with the interval as a whisker. Said in words beside it, so it
/// is hidden from those who listen.
#[must_use]
pub fn bar(mean: &Mean) -> Markup {
    let at = |score: f64| HALF + score * HALF;
    let (from, to) = (at(mean.score.min(0.0)), at(mean.score.max(0.0)));
    let number = |number: f64| format!("{number:.1}");
    let (low, high) = (at(mean.low), at(mean.high));
    // Under the bar, not across it: it is seen whatever the bar's length and colour.
    let whisker = format!("M{low:.1} 15H{high:.1}M{low:.1} 12.5V17.5M{high:.1} 12.5V17.5");
    html! {
        svg.bar viewBox="-2 0 204 18" preserveAspectRatio="none" aria-hidden="true" focusable="false" {
            path.grid d="M0 0V18M50 0V18M150 0V18M200 0V18" {}
            // A score of zero is drawn, too: it is something that was said.
            rect.(side(mean.score)) x=(number(from.min(to - 1.0))) y="1"
                width=(number((to - from).max(1.5))) height="10" {}
            path.axis d="M100 0V18" {}
            path.whisker d=(whisker) {}
        }
    }
}

/// The scale under a column of bars.
#[must_use]
pub fn scale() -> Markup {
    html! {
        span.scale aria-hidden="true" {
            span { "\u{2212}1" span.word { " opposed" } }
            span { "0" }
            span { span.word { "supportive " } "+1" }
        }
    }
}

/// Width of a small chart, in its own units.
const WIDTH: f64 = 240.0;
/// The upper and lower end of its field.
const TOP: f64 = 6.0;
const BOTTOM: f64 = 86.0;
const LEFT: f64 = 22.0;

/// The most dots of a chart that say each what it stands for. More of them are hard to point at, a
/// table has their numbers, and they hold a browser up.
const MOST_DOTS: usize = 30;

/// One actor over time. Where nothing was said the line has a gap.
#[must_use]
pub fn over_time(actor: &ActorFigure, periods: &[String]) -> Markup {
    let step = (WIDTH - LEFT - 8.0) / (periods.len().max(2) - 1) as f64;
    // Where periods are many, their dots leave the line between them to be seen.
    let largest = (step * 0.6).max(1.6);
    let x = |index: usize| LEFT + 4.0 + step * index as f64;
    let y = |score: f64| TOP + (1.0 - score) / 2.0 * (BOTTOM - TOP);
    let places: Vec<(usize, &Point)> = actor
        .over_time
        .iter()
        .filter_map(|point| {
            Some((periods.iter().position(|period| *period == point.period)?, point))
        })
        .collect();
    let mut line = String::new();
    // All in one path: a browser is slow with many elements.
    let mut whiskers = String::new();
    for (index, (place, point)) in places.iter().enumerate() {
        let goes_on = index > 0 && places[index - 1].0 + 1 == *place;
        let letter = if goes_on { 'L' } else { 'M' };
        // Infallible: a String takes whatever is written.
        let _ = write!(line, "{letter}{:.1} {:.1}", x(*place), y(point.mean.score));
        let (low, high) = (y(point.mean.low), y(point.mean.high));
        let _ = write!(whiskers, "M{:.1} {low:.1}V{high:.1}", x(*place));
    }
    // Larger where more was said; the area grows with the stories.
    let radius =
        |point: &Point| (2.2 + (point.mean.stories as f64).sqrt() * 0.7).min(5.0).min(largest);
    let ends = periods.first().zip(periods.last());
    html! {
        svg.time viewBox="0 0 240 104" role="img" aria-label=(described(actor)) {
            path.grid d=(format!("M{LEFT} {TOP}H{WIDTH}M{LEFT} {BOTTOM}H{WIDTH}")) {}
            path.axis d=(format!("M{LEFT} {0}H{WIDTH}", y(0.0))) {}
            @for (score, text) in [(1.0, "+1"), (0.0, "0"), (-1.0, "\u{2212}1")] {
                text x="18" y=(format!("{:.0}", y(score) + 3.5)) text-anchor="end" { (text) }
            }
            @if let Some((first, last)) = ends {
                text x=(LEFT) y="101" { (first) }
                @if first != last { text x=(WIDTH) y="101" text-anchor="end" { (last) } }
            }
            path.whisker d=(whiskers) {}
            path.line d=(line) {}
            @if places.len() <= MOST_DOTS {
                @for (place, point) in &places {
                    circle.(side(point.mean.score)) cx=(format!("{:.1}", x(*place)))
                        cy=(format!("{:.1}", y(point.mean.score))) r=(format!("{:.1}", radius(point))) {
                        title { (point.period) ": " (signed(point.mean.score)) ", " (stories(point.mean.stories)) }
                    }
                }
            } @else {
                @for part in ["against", "between", "for"] {
                    @let dots = places.iter().filter(|(_, point)| side(point.mean.score) == part);
                    path.(part) d=(dots.map(|(place, point)| dot(x(*place), y(point.mean.score), radius(point))).collect::<String>()) {}
                }
            }
        }
    }
}

/// A dot as a part of a path: two halves of a circle.
fn dot(x: f64, y: f64, radius: f64) -> String {
    let across = radius * 2.0;
    let half = format!("a{radius:.1} {radius:.1} 0 1 0");
    format!("M{:.1} {y:.1}{half} {across:.1} 0{half} -{across:.1} 0", x - radius)
}

/// A chart in words.
fn described(actor: &ActorFigure) -> String {
    let told = match (actor.over_time.first(), actor.over_time.last()) {
        (Some(first), Some(last)) if first.period != last.period => {
            let (one, other) = (signed(first.mean.score), signed(last.mean.score));
            let periods = actor.over_time.len();
            let (first, last) = (&first.period, &last.period);
            format!("{one} in {first}, {other} in {last}; {periods} periods with evidence")
        }
        (Some(only), _) => format!("{} in {}", signed(only.mean.score), only.period),
        _ => "no dated evidence".to_owned(),
    };
    format!("{} over time: {told}", crate::text::line(&actor.name))
}

/// A count of stories in words.
#[must_use]
pub fn stories(count: i64) -> String {
    if count == 1 {
        "1 story".to_owned()
    } else {
        format!("{} stories", crate::text::counted(count))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mean(score: f64) -> Mean {
        Mean { score, low: score - 0.2, high: score + 0.1, stories: 4, passages: 9 }
    }

    #[test]
    fn a_bar_begins_in_the_middle_and_goes_to_its_side() {
        let drawn = bar(&mean(-0.5)).into_string();
        assert!(
            drawn.contains("<rect class=\"against\" x=\"50.0\" y=\"1\" width=\"50.0\""),
            "{drawn}"
        );
        assert!(drawn.contains("M30.0 15H60.0"), "{drawn}");
        let drawn = bar(&mean(0.0)).into_string();
        assert!(
            drawn.contains("<rect class=\"between\" x=\"99.0\" y=\"1\" width=\"1.5\""),
            "{drawn}"
        );
    }

    /// A chart as a reader sees it: a column for each period, its dot, and a line where two are
    /// joined.
    fn picture(actor: &ActorFigure, periods: &[String]) -> String {
        const ROWS: usize = 9;
        let drawn = over_time(actor, periods).into_string();
        let number = |text: &str| text.parse::<f64>().unwrap();
        let attribute = |part: &str, name: &str| {
            let value = part.split(&format!(" {name}=\"")).nth(1).unwrap();
            value.split('"').next().unwrap().to_owned()
        };
        let step = (WIDTH - LEFT - 8.0) / (periods.len() - 1) as f64;
        let column = |x: f64| ((x - LEFT - 4.0) / step).round() as usize * 4;
        let row = |y: f64| ((y - TOP) / (BOTTOM - TOP) * (ROWS - 1) as f64).round() as usize;
        let mut field = vec![vec![' '; (periods.len() - 1) * 4 + 1]; ROWS];
        field[ROWS / 2].fill('\u{b7}');
        let path = attribute(drawn.split("class=\"line\"").nth(1).unwrap(), "d");
        // `M1.0 2.0L3.0 4.0`: a line is drawn to what stands behind an L.
        let mut pen = (0.0, 0.0);
        for part in path.replace('M', "\nM").replace('L', "\nL").lines().skip(1) {
            let (letter, point) = part.split_at(1);
            let (x, y) = point.split_once(' ').unwrap();
            let at = (number(x), number(y));
            if letter == "L" {
                let row = row(f64::midpoint(pen.1, at.1));
                field[row][column(pen.0) + 1..column(at.0)].fill('-');
            }
            pen = at;
        }
        for dot in drawn.split("<circle").skip(1) {
            let (x, y) = (number(&attribute(dot, "cx")), number(&attribute(dot, "cy")));
            field[row(y)][column(x)] =
                if dot.contains("\"against\"") { '\u{25cb}' } else { '\u{25cf}' };
        }
        let lines = field.into_iter().enumerate().map(|(index, row)| {
            let mark = [(0, "+1"), (ROWS / 2, " 0"), (ROWS - 1, "-1")];
            let mark = mark.iter().find(|(place, _)| *place == index).map_or("  ", |found| found.1);
            format!("{mark} {}", row.into_iter().collect::<String>()).trim_end().to_owned()
        });
        let ends = format!("   {} to {}", periods[0], periods[periods.len() - 1]);
        lines.chain([ends]).collect::<Vec<_>>().join("\n")
    }

    fn kazakhstan(over_time: Vec<Point>) -> ActorFigure {
        ActorFigure {
            who: "KAZ".into(),
            name: "Kazakhstan".into(),
            kind: "country".into(),
            country: None,
            all: mean(0.1),
            over_time,
        }
    }

    #[test]
    fn where_nothing_was_said_there_is_a_gap_and_no_zero() {
        let point = |period: &str, score| Point { period: period.to_owned(), mean: mean(score) };
        let actor = kazakhstan(vec![
            point("2014", 0.5),
            point("2015", 0.3),
            point("2018", -0.4),
            point("2020", -0.8),
            point("2021", -0.9),
        ]);
        let periods: Vec<String> = (2014..=2021).map(|year| year.to_string()).collect();
        insta::assert_snapshot!(picture(&actor, &periods), @r"
        +1

           ●---
               ●
         0 ·····························

                           ○
                                   ○---
        -1                             ○
           2014 to 2021
        ");
        let drawn = over_time(&actor, &periods).into_string();
        let moves = drawn.split("class=\"line\" d=\"").nth(1).unwrap().split('"').next().unwrap();
        let moves: String = moves.chars().filter(char::is_ascii_alphabetic).collect();
        assert_eq!(moves, "MLMML");
        assert_eq!(drawn.matches("class=\"whisker\"").count(), 1, "all intervals are one element");
        let whiskers =
            drawn.split("class=\"whisker\" d=\"").nth(1).unwrap().split('"').next().unwrap();
        assert_eq!(whiskers.matches('M').count(), 5, "{whiskers}");
        assert_eq!(drawn.matches("<circle").count(), 5, "each says what it stands for");
        assert!(
            drawn.contains("Kazakhstan over time: +0.50 in 2014, \u{2212}0.90 in 2021; 5 periods")
        );
    }

    #[test]
    fn dots_that_are_many_are_drawn_together_by_their_side() {
        let periods: Vec<String> = (1960..=2020).map(|year| year.to_string()).collect();
        let point = |index: usize, period: &String| Point {
            period: period.clone(),
            mean: mean(if index.is_multiple_of(3) { -0.5 } else { 0.5 }),
        };
        let over_time = periods.iter().enumerate().map(|(index, one)| point(index, one)).collect();
        let actor = kazakhstan(over_time);
        let drawn = super::over_time(&actor, &periods).into_string();
        assert!(!drawn.contains("<circle"), "{drawn}");
        let dots = |side: &str| {
            let path = drawn.split(&format!("class=\"{side}\" d=\"")).nth(1).unwrap();
            path.split('"').next().unwrap().matches('M').count()
        };
        assert_eq!([dots("against"), dots("between"), dots("for")], [21, 0, 40]);
        // The first: its middle is where a circle's would be.
        assert!(drawn.contains("M23.9 66.0a2.1 2.1 0 1 0 4.2 0a2.1 2.1 0 1 0 -4.2 0"), "{drawn}");
    }
}
