//! The words that posts are made of.
//!
//! It owns: the lists. What a seed gives is counted off in them, so any change gives other posts
//! and breaks the golden samples: leave them as they are unless the posts are to change.

/// What a post is about.
#[derive(Clone, Copy, Debug)]
pub(super) struct Category {
    /// As the records spell it.
    pub(super) name: &'static str,
    /// As people write it.
    pub(super) label: &'static str,
    pub(super) things: &'static [&'static str],
}

/// Where a post comes from: about the middle of the country, in whole degrees.
#[derive(Clone, Copy, Debug)]
pub(super) struct Country {
    pub(super) name: &'static str,
    pub(super) latitude: i32,
    pub(super) longitude: i32,
}

const fn category(
    name: &'static str,
    label: &'static str,
    things: &'static [&'static str],
) -> Category {
    Category { name, label, things }
}

const fn country(name: &'static str, latitude: i32, longitude: i32) -> Country {
    Country { name, latitude, longitude }
}

pub(super) const CATEGORIES: &[&Category] = &[
    &category(
        "diy-and-crafts",
        "DIY & crafts",
        &["paper garlands", "macramé hangers", "clay trays", "embroidery hoops", "candle moulds"],
    ),
    &category(
        "home-decor",
        "home décor",
        &["linen curtains", "arched mirrors", "gallery walls", "rattan lamps", "wool rugs"],
    ),
    &category(
        "mens-fashion",
        "men's fashion",
        &["linen shirts", "chelsea boots", "wool coats", "field jackets", "knitted polos"],
    ),
    &category(
        "womens-fashion",
        "women's fashion",
        &["wrap dresses", "trench coats", "silk scarves", "wide trousers", "ballet flats"],
    ),
    &category(
        "travel",
        "travel",
        &["night trains", "alpine huts", "harbour towns", "São Paulo cafés", "fjord ferries"],
    ),
    &category(
        "christmas",
        "Christmas",
        &["fir wreaths", "advent calendars", "Glühwein spices", "paper stars", "cookie tins"],
    ),
    &category(
        "finance",
        "personal finance",
        &["savings jars", "budget sheets", "index funds", "cash envelopes", "debt snowballs"],
    ),
    &category(
        "quotes",
        "quotes",
        &["morning mantras", "wall prints", "journal prompts", "lettered cards", "short poems"],
    ),
    &category(
        "beauty",
        "beauty",
        &["skin routines", "rosé nails", "curly bobs", "matcha masks", "soft eyeliner"],
    ),
    &category(
        "education",
        "education",
        &["spelling games", "number lines", "reading corners", "lab notebooks", "flash cards"],
    ),
    &category(
        "event-planning",
        "event planning",
        &["table settings", "balloon arches", "seating plans", "crème brûlée bars", "photo booths"],
    ),
    &category(
        "vehicles",
        "vehicles",
        &["camper vans", "café racers", "cargo bikes", "roof tents", "vintage coupés"],
    ),
    &category(
        "art",
        "art",
        &["gouache studies", "lino prints", "pencil portraits", "collage journals", "ink washes"],
    ),
    &category(
        "tattoos",
        "tattoos",
        &[
            "fine lines",
            "botanical sleeves",
            "tiny symbols",
            "dotwork moons",
            "old-school swallows",
        ],
    ),
];

pub(super) const ADJECTIVES: &[&str] = &[
    "cosy",
    "bold",
    "timeless",
    "easy",
    "playful",
    "minimal",
    "rustic",
    "budget-friendly",
    "colourful",
    "elegant",
    "handmade",
    "modern",
    "naïve",
    "vintage",
    "calm",
    "chic",
];

pub(super) const OPENINGS: &[&str] = &[
    "Save this for later!",
    "Our favourite find of the season.",
    "Tried and tested!",
    "¡Me encanta!",
    "Endlich gefunden!",
    "À essayer ce week-end !",
    "You asked, we answered.",
    "今週のおすすめです。",
    "Hot off the press 🔥",
    "Не пропустите!",
];

pub(super) const SENTENCES: &[&str] = &[
    "These {adjective} {thing} work in any room and take less than an hour.",
    "Start with {thing}, then add something {adjective} to make it your own.",
    "I never thought {thing} could look this {adjective} until I tried it myself.",
    "Find out why everybody is talking about {thing} this year.",
    "A {adjective} take on {thing}, with a list of everything you need.",
    "Keep it {adjective}: {thing} need \"less is more\", not more money.",
    "Step-by-step pictures show how {thing} come together, from start to finish.",
    "Perfect for beginners who want {adjective} {thing} without the fuss.",
    "Pair {thing} with natural light & plants for that {adjective} feeling.",
];

pub(super) const CLOSINGS: &[&str] = &[
    "Follow for more!",
    "Read the full story on the blog.",
    "Mehr davon im Blog – täglich neu.",
    "Which one is yours? Tell us below 👇",
    "Découvrez la suite sur notre site.",
    "Part 2 coming soon…",
];

pub(super) const EMOJI: &[&str] =
    &["✨", "😍", "🌿", "🎨", "🏡", "👩\u{200d}🎨", "🇵🇹", "❤️", "💸", "🧶", "🚐", "👍🏽"];

pub(super) const POSTER_NAMES: &[&str] = &[
    "The Paper Loft",
    "Café de Flore Interiors",
    "Zoë Makes Things",
    "Hus & Hem",
    "Señorita Decor",
    "Nordlys Studio",
    "Budget Bella",
    "Gentleman's Ledger",
    "Little Lab Teachers",
    "手作り工房",
    "Wanderlust Weekly ✈️",
    "Ink & Needle",
    "Kleine Küche",
    "Vanlife Diaries 🚐",
    "Atelier Łódź",
    "Mood Board Co.",
];

pub(super) const FIRST_NAMES: &[&str] = &[
    "Abigail",
    "Aisha",
    "Anaïs",
    "André",
    "Björn",
    "Carlos",
    "Chloé",
    "Daniel",
    "Elif",
    "Emma",
    "Fatima",
    "François",
    "Grace",
    "Hana",
    "Håkon",
    "Ines",
    "James",
    "João",
    "Kateryna",
    "Liam",
    "Łukasz",
    "Maria",
    "Minh",
    "Nadia",
    "Noah",
    "Olivia",
    "Priya",
    "Renée",
    "Søren",
    "Tomás",
    "Yuki",
    "Zoë",
];

pub(super) const LAST_NAMES: &[&str] = &[
    "Adams",
    "Andersson",
    "Bağcı",
    "Brown",
    "Çelik",
    "Dvořák",
    "Fernández",
    "García",
    "Haddad",
    "Ibrahim",
    "Jensen",
    "Jones",
    "Kim",
    "Kowalska",
    "Lefèvre",
    "Li",
    "Müller",
    "Nakamura",
    "Nguyễn",
    "O'Brien",
    "Okafor",
    "Patel",
    "Peña",
    "Rossi",
    "Şahin",
    "Silva",
    "Smith",
    "Sørensen",
    "Tanaka",
    "Williams",
    "Yılmaz",
    "Ziółkowski",
];

pub(super) const COUNTRIES: &[Country] = &[
    country("Albania", 41, 20),
    country("Argentina", -34, -64),
    country("Australia", -25, 134),
    country("Brazil", -10, -52),
    country("Bulgaria", 43, 25),
    country("Canada", 56, -106),
    country("Côte d'Ivoire", 8, -6),
    country("Curaçao", 12, -69),
    country("Egypt", 27, 30),
    country("Finland", 64, 26),
    country("France", 47, 2),
    country("Germany", 51, 10),
    country("India", 22, 79),
    country("Indonesia", -2, 118),
    country("Japan", 36, 138),
    country("Kenya", 0, 38),
    country("Mexico", 23, -102),
    country("New Zealand", -41, 174),
    country("Norway", 62, 10),
    country("Peru", -9, -75),
    country("Poland", 52, 19),
    country("Portugal", 39, -8),
    country("São Tomé and Príncipe", 0, 7),
    country("South Africa", -29, 24),
    country("Spain", 40, -4),
    country("Sri Lanka", 7, 81),
    country("Türkiye", 39, 35),
    country("Ukraine", 49, 32),
    country("United Kingdom", 54, -2),
    country("United States of America", 39, -98),
    country("Vietnam", 16, 107),
    country("Zambia", -13, 28),
];
