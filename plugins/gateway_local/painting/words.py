"""The words that the painter knows: what they name, and what they say about it.

A table's key is what is drawn or meant, its value the words for it, separated by commas; words of
several parts are phrases. Nouns are singular: `scene` takes plurals back to them.
"""

from collections.abc import Mapping
from types import MappingProxyType


def _table(rows: Mapping[str, str]) -> Mapping[str, str]:
    return MappingProxyType(
        {word.strip(): key for key, words in rows.items() for word in words.split(",")}
    )


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


LAND = _table(
    {
        "mountains": "mountain, alp, peak, summit, mountain range, everest, himalaya, fjord",
        "volcano": "volcano",
        "hills": "hill, highland, countryside, tuscany, vineyard",
        "sea": "sea, ocean, wave, harbour, harbor, bay, coast, shore, seaside, horizon, water",
        "beach": "beach, sand, island, lagoon, tropics",
        "lake": "lake, pond, reservoir",
        "river": "river, stream, creek, brook",
        "waterfall": "waterfall, cascade",
        "desert": "desert, dune, sahara, oasis",
        "field": "field, meadow, grass, grassland, prairie, pasture, garden, park, farm, lawn, "
        "savanna, savannah, landscape, nature, valley, wheat",
        "forest": "forest, wood, woodland, jungle, rainforest, grove",
        "snow": "snowfield, tundra, arctic, antarctica, ice, glacier, north pole",
        "city": "city, skyline, cityscape, downtown, skyscraper, metropolis, street, manhattan, "
        "new york, tokyo, urban landscape",
        "village": "village, town, hamlet",
        "space": "space, outer space, cosmos, universe, galaxy, nebula, milky way, orbit",
        "underwater": "underwater, reef, coral reef, seabed, under the sea, under water, aquarium, "
        "deep sea",
        "indoors": "room, living room, bedroom, kitchen, indoor, indoors, sofa, carpet, rug, "
        "fireplace, window, table",
        "road": "road, path, trail, highway, lane",
    }
)
"""What the picture stands on, far and near."""

THINGS = _table(
    {
        "sun": "sun",
        "moon": "moon, full moon",
        "crescent": "crescent, crescent moon, half moon",
        "stars": "star, constellation",
        "clouds": "cloud",
        "rainbow": "rainbow",
        "aurora": "aurora, northern light, aurora borealis, polar light",
        "comet": "comet, meteor, shooting star, asteroid",
        "planet": "planet, saturn, jupiter, mars, neptune, earth, venus, uranus, pluto",
        "tree": "tree, oak, oak tree, maple, apple tree, elm, willow",
        "pine": "pine, pine tree, fir, fir tree, spruce, conifer, christmas tree, evergreen",
        "birch": "birch, birch tree, aspen",
        "palm": "palm, palm tree, coconut tree",
        "blossom": "cherry blossom, cherry tree, sakura, blossom",
        "bush": "bush, shrub, hedge",
        "flower": "flower, wildflower, daisy, rose, poppy, tulip, lily, orchid, bouquet, bloom",
        "sunflower": "sunflower",
        "mushroom": "mushroom, toadstool",
        "cactus": "cactus",
        "house": "house, home, cottage, cabin, hut, farmhouse, barn, chalet, building",
        "church": "church, chapel, cathedral, temple",
        "castle": "castle, palace, fortress",
        "lighthouse": "lighthouse, light house",
        "windmill": "windmill, mill",
        "tower": "tower",
        "pyramid": "pyramid",
        "tent": "tent, camp",
        "bridge": "bridge",
        "fence": "fence",
        "boat": "boat, sailboat, sailing boat, sail, yacht, dinghy",
        "ship": "ship, galleon, pirate ship, sailing ship, vessel, frigate",
        "balloon": "hot air balloon, air balloon, balloon",
        "rocket": "rocket, spaceship, spacecraft, space ship, starship, rocket ship",
        "plane": "plane, airplane, aeroplane, aircraft, jet",
        "car": "car, automobile, taxi",
        "train": "train, locomotive",
        "ufo": "ufo, flying saucer, alien ship",
        "cat": "cat, kitten, kitty",
        "dog": "dog, puppy, hound, wolf",
        "horse": "horse, pony, stallion, mare, foal",
        "bird": "bird, gull, seagull, swallow, eagle, crow, raven, sparrow, dove, goose, swan",
        "fish": "fish, goldfish, clownfish, trout, salmon, shark",
        "whale": "whale, dolphin, orca",
        "elephant": "elephant, mammoth",
        "rabbit": "rabbit, bunny, hare",
        "deer": "deer, stag, reindeer, elk, moose, doe, fawn",
        "bear": "bear, polar bear, grizzly, panda",
        "fox": "fox",
        "cow": "cow, bull, ox, calf, cattle, bison",
        "sheep": "sheep, lamb",
        "butterfly": "butterfly, moth",
        "person": "person, man, woman, child, boy, girl, human, hiker, traveller, traveler, kid, "
        "farmer, silhouette, couple",
        "astronaut": "astronaut, cosmonaut, spaceman",
        "snowman": "snowman",
        "yarn": "yarn, wool, ball of yarn, yarn ball, ball of wool",
        "ball": "ball, football, beach ball",
        "rock": "rock, stone, boulder, cliff",
        "campfire": "campfire, bonfire, fire",
        "umbrella": "umbrella, parasol",
        "heart": "heart, love",
    }
)
"""What can stand, fly or swim in it."""

TIMES = _table(
    {
        "dawn": "dawn, sunrise, daybreak, early morning, morning",
        "day": "day, daytime, noon, midday, afternoon, sunny, daylight, sunshine",
        "sunset": "sunset, golden hour, sundown, sunsets",
        "dusk": "dusk, twilight, evening, blue hour, nightfall",
        "night": "night, midnight, nighttime, moonlit, moonlight, starry, starry night, nocturnal, "
        "starlit",
    }
)

WEATHERS = _table(
    {
        "rain": "rain, rainy, raining, drizzle, downpour, wet, shower",
        "storm": "storm, stormy, thunder, thunderstorm, lightning, tempest, hurricane",
        "snow": "snow, snowy, snowing, snowfall, blizzard, snowflake",
        "fog": "fog, foggy, mist, misty, haze, hazy",
        "cloudy": "cloudy, overcast, gloomy, grey sky, gray sky",
        "clear": "clear, cloudless",
    }
)

SEASONS = _table(
    {
        "autumn": "autumn, fall, autumnal, october, november",
        "winter": "winter, wintry, snowy, christmas, snow, frozen, frosty, icy",
        "spring": "spring, springtime, blooming",
        "summer": "summer, summertime",
    }
)

STYLES = _table(
    {
        "watercolour": "watercolour, watercolor, water colour, water color, aquarelle, gouache",
        "oil": "oil, oil painting, oil paint, painting, painted, painterly, impressionist, "
        "impressionism, van gogh, monet, acrylic, brush stroke",
        "pixel": "pixel, pixel art, pixelated, pixelart, 8 bit, 16 bit, retro game",
        "neon": "neon, cyberpunk, synthwave, vaporwave, glowing line",
        "line": "line art, line drawing, ink drawing, line, lineart, outline, ink, coloring page, "
        "colouring page, doodle, drawing",
        "sketch": "sketch, pencil, pencil drawing, pencil sketch, charcoal, hand drawn, graphite",
        "lowpoly": "low poly, lowpoly, polygonal, geometric",
        "poster": "poster, travel poster, flat design, vector, flat, minimalist, minimal, "
        "screen print, pop art, art deco",
        "pastel": "pastel, chalk, soft colour, soft color, dreamy",
        "mono": "black and white, monochrome, grayscale, greyscale, noir, b and w",
        "vintage": "vintage, retro, sepia, old photo, old photograph, antique, nostalgic",
        "cartoon": "cartoon, comic, anime, manga, toon, childrens book, kawaii, cel shaded",
        "mosaic": "mosaic, stained glass, tile",
    }
)

MOODS = _table(
    {
        "calm": "serene, calm, peaceful, tranquil, quiet, gentle, soft, cozy, cosy",
        "dramatic": "dramatic, epic, majestic, intense, moody",
        "vivid": "vibrant, colorful, colourful, vivid, bright, psychedelic, rich",
        "dark": "dark, gloomy, spooky, sombre, somber, mysterious",
    }
)

SIZES = _table(
    {
        "large": "big, large, giant, huge, enormous, tall, towering, massive, great, close up",
        "small": "small, tiny, little, distant, miniature",
    }
)

NUMBERS: Mapping[str, int] = MappingProxyType(
    {
        "one": 1,
        "single": 1,
        "lone": 1,
        "lonely": 1,
        "two": 2,
        "pair": 2,
        "both": 2,
        "couple of": 2,
        "three": 3,
        "four": 4,
        "five": 5,
        "six": 6,
        "seven": 7,
        "eight": 8,
        "nine": 9,
        "ten": 10,
        "eleven": 11,
        "twelve": 12,
        "dozen": 12,
        "few": 3,
        "several": 4,
        "some": 3,
        "many": 8,
        "flock": 7,
        "herd": 5,
        "row": 5,
        "lots": 8,
    }
)

IRREGULAR: Mapping[str, str] = MappingProxyType(
    {
        "people": "person",
        "men": "man",
        "women": "woman",
        "children": "child",
        "wolves": "wolf",
        "geese": "goose",
        "oxen": "ox",
        "calves": "calf",
        "cacti": "cactus",
        "snowmen": "snowman",
        "skies": "sky",
        "daisies": "daisy",
    }
)

NATURAL: Mapping[str, str] = MappingProxyType(
    {
        "goldfish": "orange",
        "clownfish": "orange",
        "shark": "gray",
        "dolphin": "silver",
        "orca": "black",
        "polar bear": "ivory",
        "panda": "white",
        "wolf": "gray",
        "crow": "black",
        "raven": "black",
        "dove": "white",
        "swan": "white",
        "poppy": "red",
        "rose": "crimson",
        "daisy": "white",
        "lily": "ivory",
        "orchid": "violet",
        "earth": "blue",
        "mars": "copper",
        "neptune": "azure",
        "saturn": "tan",
        "taxi": "yellow",
        "barn": "maroon",
        "willow": "olive",
    }
)
"""The colour that goes without saying."""

NOT_PLURAL = frozenset({"cactus", "grass", "us", "is", "cosmos", "venus", "mars", "christmas"})
"""Nouns that end in s and are one."""

MUTE = _words(
    """
    a an the of in on at with and or to by from near under over above below into beside between
    behind through across around is are be being as its it his her their that this there which
    very so highly ultra image picture photo photograph art artwork artistic illustration scene
    view style render rendering beautiful pretty lovely cute nice detailed realistic masterpiece
    quality high best hd 4k 8k hdr cinematic light lighting shot portrait stunning gorgeous
    amazing create draw paint make show generate me please wide background foreground color
    colour old young playing standing running sitting walking flying swimming sleeping jumping
    sailing galloping floating capped covered topped one another looking digital wallpaper
    concept sky trending for up down out some
    """
)
"""Words that change nothing, so that nobody is told they were not drawn."""

NEGATIONS = frozenset({"no", "without", "not", "minus"})
