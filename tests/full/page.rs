//! The status page in a real browser: wide and narrow, by day and by night, with and without
//! scripts, while things go well and while they do not.
//!
//! With `SLUICE_PICTURES=DIR` it leaves what was seen there.

use std::path::Path;
use std::time::Duration;

use crate::support::browser::Browser;
use crate::support::daemon::Settings;
use crate::support::kafka::topics::numbered;
use crate::support::{full_set, kafka, report, s3, unique, wait};

const SOON: Duration = Duration::from_secs(60);
const DESKTOP: (u32, u32) = (1280, 900);
const PHONE: (u32, u32) = (390, 844);
/// WebDriver's code of the Enter key.
const ENTER: &str = "\u{e007}";

/// Nothing may be cut off at the side, whatever the width, nor grey on grey.
fn looks_well(browser: &Browser, name: &str) {
    for (shape, size) in [("desktop", DESKTOP), ("phone", PHONE)] {
        for colours in ["light", "dark"] {
            browser.looks_like(size, colours);
            let wider = browser.run(
                "const all = document.documentElement; return all.scrollWidth - all.clientWidth",
            );
            assert_eq!(wider, 0, "{name}, {shape}: the page is wider than the window");
            if let Some(folder) = std::env::var_os("SLUICE_PICTURES") {
                std::fs::create_dir_all(&folder).unwrap();
                browser.picture(&Path::new(&folder).join(format!("{name}-{shape}-{colours}.png")));
            }
        }
    }
    browser.looks_like(DESKTOP, "light");
}

fn text_of(browser: &Browser, selector: &str) -> String {
    let script = format!("return document.querySelector('{selector}').textContent");
    browser.run(&script).as_str().unwrap().to_owned()
}

#[test]
fn the_status_page_lives_in_a_real_browser() {
    if !full_set("the_status_page_lives_in_a_real_browser") {
        return;
    }
    let (topic, group) = (unique("page"), unique("group"));
    kafka().create_topic(&topic, 3);
    let bucket = s3().bucket("page");
    let settings = Settings::between(kafka(), s3(), &group, &bucket);
    let daemon = settings.topics(&[&topic]).set("seal.age", "\"200 ms\"").start();
    let browser = Browser::start();
    browser.looks_like(DESKTOP, "light");
    browser.open(&format!("http://{}/", daemon.address()));
    looks_well(&browser, "idle");

    // What is there stays there: the page is renewed, and not loaded anew.
    browser.run("window.mark = 1");
    browser.run("document.querySelector('summary').focus()");
    browser.press(ENTER);
    kafka().produce(&topic, &numbered(0..3_000, 3));
    let written = |records: &str| {
        wait::until("the page to tell of the records", SOON, || {
            text_of(&browser, "#cards").contains(records).then_some(())
        });
    };
    written("3,000 in all");
    assert_eq!(browser.run("return window.mark"), 1, "not loaded anew");
    assert_eq!(browser.run("return document.querySelector('details').open"), true);
    assert_eq!(browser.run("return document.activeElement.tagName"), "SUMMARY");
    assert!(text_of(&browser, "#settings").contains("seal.age\"200 ms\"file"));
    assert!(text_of(&browser, "#sums").contains(&topic));
    let key = format!("topics/{topic}/partition=0/{topic}+0+");
    wait::until("the last object's key", SOON, || {
        text_of(&browser, "#rows").contains(&key).then_some(())
    });
    for round in 1..=12 {
        kafka().produce(&topic, &numbered(round * 3_000..(round + 1) * 3_000, 3));
        std::thread::sleep(Duration::from_secs(1)); // so that the course has something to show
    }
    written("39,000 in all");
    let course = "return document.querySelector('#course svg').getAttribute('aria-label')";
    let course = browser.run(course).as_str().unwrap().to_owned();
    assert!(course.starts_with("Records per second over the last 10 minutes: "), "{course}");
    looks_well(&browser, "load");

    // Everything that can be reached by mouse can be reached by keyboard, and says what it is.
    let unnamed = "return [...document.querySelectorAll('a, button, summary, svg')].filter(\
        (it) => !(it.textContent.trim() || it.getAttribute('aria-label'))).length";
    assert_eq!(browser.run(unnamed), 0);
    let headings = "return [...document.querySelectorAll('h1, h2')].map((it) => it.tagName).join()";
    assert_eq!(browser.run(headings), "H1,H2,H2,H2");

    let taken = format!("topics/{topic}/partition=0/{topic}+0+{:010}.json", 13_000);
    s3().put(&bucket, &taken, b"of another program\n");
    kafka().produce(&topic, &numbered(0..3, 3));
    wait::until("the page to tell of the stop", SOON, || {
        text_of(&browser, "#say").contains("1 partition waits for a person").then_some(())
    });
    assert!(text_of(&browser, "#seen").contains("What to do:"));
    looks_well(&browser, "error");
    assert_eq!(browser.complaints(), Vec::<String>::new());

    daemon.kill_9();
    wait::until("the page to tell of the silence", SOON, || {
        text_of(&browser, "#silent").contains("has not answered since").then_some(())
    });
    assert_eq!(browser.run("return document.getElementById('silent').hidden"), false);
    report("the status page was seen wide and narrow, light and dark, idle, loaded, broken");
}

#[test]
fn the_status_page_needs_no_script() {
    if !full_set("the_status_page_needs_no_script") {
        return;
    }
    let (topic, group) = (unique("plain-page"), unique("group"));
    kafka().create_topic(&topic, 1);
    let settings = Settings::between(kafka(), s3(), &group, &s3().bucket("plain-page"));
    let daemon = settings.topics(&[&topic]).set("seal.age", "\"200 ms\"").start();
    let browser = Browser::start();
    browser.without_scripts();
    browser.open(&format!("http://{}/", daemon.address()));
    kafka().produce(&topic, &numbered(0..7, 1));
    wait::until("the page to be loaded anew", SOON, || {
        text_of(&browser, "#cards").contains("7 in all").then_some(())
    });
    report("the status page is whole without its script");
    daemon.stop_cleanly();
}
