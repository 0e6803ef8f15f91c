//! Posts of Pinterest, made up from a seed: what `emulate` sends and what the demo moves.
//!
//! It owns: the three records of a post, field by field, and their order. The post at an index is
//! a function of seed and index alone, so a run can be repeated, or asked for one post again.
//! It does not own: topics, partitions, the pace.
//!
//! What a seed gives stays the same from release to release, like a stored text: golden samples
//! in the tests pin it. That is why the random numbers come from [`random`] and not from a crate.

mod random;
mod text;
mod words;

use jiff::civil::{Date, DateTime, date};
use jiff::{SignedDuration, Span};
use serde::Serialize;

use random::Random;
use words::{CATEGORIES, COUNTRIES, Category, FIRST_NAMES, LAST_NAMES, POSTER_NAMES};

/// When the post with index 0 was made.
const FIRST_POST: DateTime = date(2021, 8, 24).at(11, 23, 51, 0);
/// A post about every seven seconds: 12,000 a day.
const SECONDS_BETWEEN_POSTS: u64 = 7;
/// Times start anew after so many posts, 222 years on: a date has four digits of year.
const TIMES: u64 = 1_000_000_000;
/// When the site opened: nobody joined before.
const FIRST_JOINED: Date = date(2009, 12, 1);

/// Which of the three records of a post: also the last part of its topic's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    Pin,
    Geo,
    User,
}

impl Kind {
    /// In the order in which the records of one post are sent.
    pub const ALL: [Self; 3] = [Self::Pin, Self::Geo, Self::User];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pin => "pin",
            Self::Geo => "geo",
            Self::User => "user",
        }
    }
}

/// What was posted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Pin {
    pub index: u64,
    pub unique_id: String,
    pub title: String,
    pub description: String,
    pub poster_name: &'static str,
    /// As the site shows it: `612`, `12k`, `3M`.
    pub follower_count: String,
    /// Separated by commas.
    pub tag_list: String,
    pub is_image_or_video: &'static str,
    pub image_src: String,
    /// 1 if the picture was saved, else 0.
    pub downloaded: u8,
    pub save_location: String,
    pub category: &'static str,
}

/// Where and when it was posted.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Geo {
    pub ind: u64,
    pub timestamp: String,
    pub latitude: f64,
    pub longitude: f64,
    pub country: &'static str,
}

/// Who posted it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct User {
    pub ind: u64,
    pub first_name: &'static str,
    pub last_name: &'static str,
    pub age: u8,
    pub date_joined: String,
}

/// One post: three records with the same index.
#[derive(Clone, Debug, PartialEq)]
pub struct Post {
    pub pin: Pin,
    pub geo: Geo,
    pub user: User,
}

impl Post {
    /// Makes the post that `seed` has at `index`.
    pub fn new(seed: u64, index: u64) -> Self {
        let mut random = Random::new(seed, index);
        let seconds = (index % TIMES) * SECONDS_BETWEEN_POSTS + random.below(SECONDS_BETWEEN_POSTS);
        let posted = FIRST_POST
            .saturating_add(SignedDuration::from_secs(i64::try_from(seconds).unwrap_or(i64::MAX)));
        Self {
            pin: pin(&mut random, index),
            geo: geo(&mut random, index, posted),
            user: user(&mut random, index, posted.date()),
        }
    }

    /// Writes the record of `kind` as JSON behind what `out` holds.
    pub fn write_json(&self, kind: Kind, out: &mut Vec<u8>) {
        let written = match kind {
            Kind::Pin => serde_json::to_writer(out, &self.pin),
            Kind::Geo => serde_json::to_writer(out, &self.geo),
            Kind::User => serde_json::to_writer(out, &self.user),
        };
        debug_assert!(written.is_ok(), "text, finite numbers and a growing buffer cannot fail");
    }
}

/// Posts one after the other, for ever.
#[derive(Clone, Debug)]
pub struct Posts {
    seed: u64,
    next: u64,
}

impl Posts {
    pub fn new(seed: u64) -> Self {
        Self { seed, next: 0 }
    }
}

impl Iterator for Posts {
    type Item = Post;

    fn next(&mut self) -> Option<Post> {
        let post = Post::new(self.seed, self.next);
        self.next = self.next.wrapping_add(1);
        Some(post)
    }
}

fn pin(random: &mut Random, index: u64) -> Pin {
    let category = random.pick(CATEGORIES);
    let unique_id = random.uuid();
    // The site's own crawler leaves such rows where a story hides its text: about one in fifty.
    if random.below(50) == 0 {
        return empty_pin(random, index, unique_id, category);
    }
    let is_video = random.below(8) == 0;
    Pin {
        index,
        unique_id,
        title: text::title(random, category),
        description: text::description(random, category),
        poster_name: random.pick(POSTER_NAMES),
        follower_count: text::follower_count(random),
        tag_list: text::tags(random, category),
        is_image_or_video: if is_video { "video" } else { "image" },
        image_src: image_address(random),
        downloaded: u8::from(random.below(40) != 0),
        save_location: format!("Local save in /data/{}", category.name),
        category: category.name,
    }
}

fn empty_pin(random: &mut Random, index: u64, unique_id: String, category: &Category) -> Pin {
    Pin {
        index,
        unique_id,
        title: "No Title Data Available".to_owned(),
        description: "No description available Story format".to_owned(),
        poster_name: random.pick(POSTER_NAMES),
        follower_count: text::follower_count(random),
        tag_list: "N,o, ,T,a,g,s, ,A,v,a,i,l,a,b,l,e".to_owned(),
        is_image_or_video: "multi-video(story page format)",
        image_src: "Image src error.".to_owned(),
        downloaded: 0,
        save_location: format!("Local save in /data/{}", category.name),
        category: category.name,
    }
}

fn image_address(random: &mut Random) -> String {
    let hash = format!("{:016x}{:016x}", random.bits(), random.bits());
    let (a, b, c) = (hash.get(0..2), hash.get(2..4), hash.get(4..6));
    let folder = [a, b, c].map(Option::unwrap_or_default).join("/");
    format!("https://i.pinimg.com/originals/{folder}/{hash}.jpg")
}

fn geo(random: &mut Random, index: u64, posted: DateTime) -> Geo {
    let country = random.pick(COUNTRIES);
    Geo {
        ind: index,
        timestamp: posted.strftime("%Y-%m-%d %H:%M:%S").to_string(),
        latitude: near(random, country.latitude),
        longitude: near(random, country.longitude),
        country: country.name,
    }
}

/// Returns a coordinate within two degrees of `middle`, to a millionth of a degree.
fn near(random: &mut Random, middle: i32) -> f64 {
    let away = i32::try_from(random.below(4_000_000)).unwrap_or(0) - 2_000_000;
    f64::from(middle * 1_000_000 + away) / 1e6
}

fn user(random: &mut Random, index: u64, posted: Date) -> User {
    let days = posted.duration_since(FIRST_JOINED).as_hours() / 24;
    let days = random.below(u64::try_from(days).unwrap_or(1).max(1));
    let joined = FIRST_JOINED.saturating_add(Span::new().days(i64::try_from(days).unwrap_or(0)));
    let second = i64::try_from(random.below(24 * 60 * 60)).unwrap_or(0);
    let joined = joined.at(0, 0, 0, 0).saturating_add(SignedDuration::from_secs(second));
    User {
        ind: index,
        first_name: random.pick(FIRST_NAMES),
        last_name: random.pick(LAST_NAMES),
        age: 18 + u8::try_from(random.below(30) + random.below(30)).unwrap_or(0),
        date_joined: joined.strftime("%Y-%m-%d %H:%M:%S").to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Never edited: what a seed gives stays the same.
    const FIRST_POST_OF_SEED_1: [&str; 3] = [
        concat!(
            r#"{"index":0,"unique_id":"8a27b94c-ff75-46aa-9137-56f65520a1ec","title":"Vintage paper "#,
            r#"stars you can copy at home today","description":"Hot off the press 🔥 Step-by-step "#,
            r#"pictures show how cookie tins come together, from start to finish. Perfect for beginners "#,
            r#"who want naïve Glühwein spices without the fuss. Pair Glühwein spices with natural "#,
            r#"light & plants for that rustic feeling. These timeless fir wreaths work in any room "#,
            r#"and take less than an hour. Start with Glühwein spices, then add something calm "#,
            r#"to make it your own. Découvrez la suite sur notre site.","poster_name":"Vanlife "#,
            r#"Diaries 🚐","follower_count":"426k","tag_list":"Naïve Glühwein spices,Vintage Paper "#,
            r#"stars,Calm Fir wreaths,Chic Glühwein spices,Cosy Paper stars,Bold Glühwein spices,Timeless "#,
            r#"Glühwein spices","is_image_or_video":"image","image_src":"https://i.pinimg.com/originals/0d/"#,
            r#"f9/6f/0df96f0058ae2f6fd061a712d4e2fa79.jpg","downloaded":1,"save_location":"Local "#,
            r#"save in /data/christmas","category":"christmas"}"#,
        ),
        concat!(
            r#"{"ind":0,"timestamp":"2021-08-24 11:23:54","latitude":-12.493949,"longitude":27.239758,"coun"#,
            r#"try":"Zambia"}"#,
        ),
        concat!(
            r#"{"ind":0,"first_name":"Björn","last_name":"O'Brien","age":51,"date_joined":"2018-12-25 "#,
            r#"10:21:11"}"#,
        ),
    ];

    fn json(post: &Post, kind: Kind) -> String {
        let mut out = Vec::new();
        post.write_json(kind, &mut out);
        String::from_utf8(out).unwrap()
    }

    fn average_bytes(kind: Kind) -> usize {
        let bytes: usize = Posts::new(7).take(2_000).map(|post| json(&post, kind).len()).sum();
        bytes / 2_000
    }

    #[test]
    fn the_first_post_is_what_it_was_in_every_release() {
        let post = Post::new(1, 0);
        assert_eq!(Kind::ALL.map(|kind| json(&post, kind)), FIRST_POST_OF_SEED_1);
    }

    #[test]
    fn the_same_seed_gives_the_same_posts() {
        let first: Vec<Post> = Posts::new(42).take(100).collect();
        let again: Vec<Post> = Posts::new(42).take(100).collect();
        assert_eq!(first, again);
        assert_eq!(first[57], Post::new(42, 57));
    }

    #[test]
    fn another_seed_gives_other_posts() {
        assert_ne!(Post::new(1, 0), Post::new(2, 0));
        // A neighbour in both must not be the same stream shifted by one.
        assert_ne!(Post::new(1, 1).pin.unique_id, Post::new(2, 0).pin.unique_id);
    }

    #[test]
    fn records_are_as_big_as_the_real_ones() {
        assert!((780..=920).contains(&average_bytes(Kind::Pin)), "{}", average_bytes(Kind::Pin));
        assert!((105..=135).contains(&average_bytes(Kind::Geo)), "{}", average_bytes(Kind::Geo));
    }

    #[test]
    fn values_are_believable() {
        for post in Posts::new(3).take(2_000) {
            assert!(post.geo.latitude.abs() <= 90.0 && post.geo.longitude.abs() <= 180.0);
            assert!((18..=77).contains(&post.user.age));
            assert!(post.user.date_joined < post.geo.timestamp, "{post:?}");
            assert_eq!((post.pin.index, post.pin.index), (post.geo.ind, post.user.ind));
            assert_eq!(post.pin.unique_id.len(), 36);
            assert!(!json(&post, Kind::Pin).contains('\n'));
        }
    }

    #[test]
    fn text_beyond_ascii_and_emoji_occur() {
        let all: String = Posts::new(3).take(200).map(|post| json(&post, Kind::Pin)).collect();
        assert!(all.chars().any(|letter| ('\u{c0}'..'\u{250}').contains(&letter)));
        assert!(all.chars().any(|letter| letter >= '\u{1f300}'));
    }

    #[test]
    fn an_index_beyond_all_bounds_still_gives_a_post() {
        assert_eq!(Post::new(0, u64::MAX).geo.timestamp.len(), 19);
    }
}
