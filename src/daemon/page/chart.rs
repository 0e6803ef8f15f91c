//! The course of a number over the last minutes as a small picture.
//!
//! It owns: the drawing, and what it says to those who do not see it. It does not own: the numbers.

use std::time::Duration;

use super::{grouped, push};

/// Of the picture, in its own units.
const WIDTH: f64 = 600.0;
const HEIGHT: f64 = 60.0;
/// A bar of nothing is a line, so that it differs from what is not known.
const BAR_MIN: f64 = 1.0;

/// Returns bars from the left (so long ago) to the right (now), as high as the highest allows.
pub(super) fn chart(course: &[(Duration, f64)], over: Duration) -> String {
    let highest = course.iter().map(|(_, rate)| *rate).fold(0.0, f64::max);
    let now = course.last().map_or(0.0, |(_, rate)| *rate);
    let minutes = over.as_secs() / 60;
    let (now, most) = (grouped(now.round() as u64), grouped(highest.round() as u64));
    let mut html = String::new();
    push(
        &mut html,
        format_args!(
            "<figure><svg role=\"img\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" preserveAspectRatio=\"none\" \
             aria-label=\"Records per second over the last {minutes} minutes: {now} now, {most} at \
             most\">"
        ),
    );
    let mut before = over;
    for (ago, rate) in course {
        let (from, to) = (x(before.min(over), over), x(*ago, over));
        let height = if highest > 0.0 { rate / highest * HEIGHT } else { 0.0 }.max(BAR_MIN);
        let wide = (to - from).clamp(BAR_MIN, WIDTH / 60.0) - BAR_MIN / 2.0;
        let (left, top) = (to - wide, HEIGHT - height);
        push(
            &mut html,
            format_args!(
                "<rect x=\"{left:.1}\" y=\"{top:.1}\" width=\"{wide:.1}\" height=\"{height:.1}\"/>"
            ),
        );
        before = *ago;
    }
    push(
        &mut html,
        format_args!(
            "</svg><figcaption><span>{minutes} min ago</span><span>at most {most}/s</span>\
             <span>now</span></figcaption></figure>\n"
        ),
    );
    html
}

fn x(ago: Duration, over: Duration) -> f64 {
    WIDTH * (1.0 - ago.as_secs_f64() / over.as_secs_f64())
}
