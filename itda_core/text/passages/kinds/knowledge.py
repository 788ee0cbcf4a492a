# ruff: noqa: E501 (lists of words and sentences, one thought to a line)
"""Science, biographies and riddles."""

from __future__ import annotations

RULES = {
    "science_passage": (
        "{!c=creature}{creature_a} {creature_b} {creature_b}[ {creature_b}] {creature_c}",
        "{!e=element}{element_a} {element_b} {element_b} {science_end}",
        "{!p=planet}{planet_a} {planet_b} {planet_b} {science_end}",
        "{!hero=person}{!sur=surname}{!m=metal}<title:{experiment_title}>\n{experiment_a} {experiment_b} {experiment_b} {experiment_c}",
        "{!hero=person}{!sur=surname}{!c=creature}{study_a} {study_b} {creature_b} {study_c}",
    ),
    "creature_a": (
        "The {c} lives in {a_home}, and its young is called {a_young}.", "¿Where does the {c} live? In {a_home}.", "Most {c.s} feed on <food:{c.food}>.", "{A c} is easy to recognise, but hard to find.", "Few animals have been studied as well as the {c}.", "{C.s} appear in the stories of many countries.",
    ),
    "a_home": ("the <place:{c.home}>", "its <place:{c.home}>",), "a_young": ("the <animal:{c.young}>",),
    "creature_b": (
        "The {c} eats mainly <food:{c.food}>.", "A young {c}, the <animal:{c.young}>, stays with its mother for some {time_long}.", "In {season}, {c.s} are seen more often than in the rest of the year.", "{C.s} can hear sounds that no human can.", "When it is frightened, the {c} does not always run away.",
        "Scientists have {study.en} {c.s} since {#1850-1990}.", "The colour of {c.s} protects them from their enemies.", "Like all animals, {c.s} need water, sleep and food.", "The <animal:{c.young}> learns by watching older animals.", "{C.s} have no use for {object.s}, of course, but some have stolen {small_thing.s}.",
    ),
    "time_long": ("weeks", "months", "time"),
    "creature_c": ("There is still much that nobody knows about {c.s}.", "¿How long does {a c} live? That depends on food, weather and luck.", "Please do not feed {c.s}.", "Students of {subject} still observe {c.s} today.", "In {city} a museum shows {#3-30} drawings of {c.s}."),
    "element_a": (
        "The element {e} has the symbol <code_name:{e.symbol}> and the atomic number {e.number}.", "Every atom of {e} has {e.number} protons.", "<title:{E} (<code_name:{e.symbol}>)>\nAt room temperature, {e} is {a e.look}.", "¿What is {e}? A chemical element with the number {e.number}.", "Chemists write <code_name:{e.symbol}> for {e}.",
    ),
    "element_b": (
        "At room temperature it is {a e.look}.", "Its nucleus contains {e.number} protons, neither more nor fewer.", "In the periodic table it stands at number {e.number}.", "Any teacher of chemistry will know its symbol, <code_name:{e.symbol}>.", "It cannot be split into simpler substances by heat or {acid}.",
        "The museum in {city} keeps a sample of it in {a colour} {container}.", "{A occupation} may meet it every day without noticing.", "It was studied again and again in the {#17-19}th century.",
    ),
    "acid": ("acid", "light", "water", "pressure"),
    "planet_a": ("{P} needs about {p.year} days to go around the Sun.", "The planet {p} is about {p.au} times as far from the Sun as the Earth is.", "¿How long is a year on {p}? About {p.year} of our days.", "With a telescope you can see {p} on {a sky_night} night."),
    "sky_night": ("<weather:clear>", "<weather:frosty>", "dark", "<weather:calm>"),
    "planet_b": (
        "{P} has {p.moons} moons.", "A letter from there would take {letter_time} to reach us.", "No one has ever stood on {p}.", "Its distance from the Sun is about {p.au} times that of the Earth.", "One year there lasts about {p.year} days.", "There is neither {drink} nor {rainy_water} on {p}, as far as we know.",
        "{A occupation} in {city} drew a map of it in {#1880-1975}.", "Its colour looks almost {colour} through {a size} telescope.",
    ),
    "letter_time": ("minutes or hours", "longer than most people think", "some time even at the speed of light"), "rainy_water": ("a garden", "a library", "a quiet street", "a bus stop"),
    "science_end": ("More about this can be found in any book on (natural history|physics|the sciences|nature).", "Not all questions about it have been answered.", "{person} {surname} wrote a book about it in {#1890-2015}.", "¿Why is that so? Physicists still argue about it.", "Pupils in {country} learn this in {month}.", "It is a fact that is easily forgotten."),
    "experiment_title": ("Experiment {#2-60}", "A simple experiment", "Report of {date}", "Laboratory notebook, {weekday}"),
    "experiment_a": (
        "We heated {#20-400} grams of {m} to {#60-400} °C.", "<person:{hero} {sur}> weighed a piece of {m}: it was {#11-99d} kg.", "¿Does {m} conduct electricity better than {material_poor}? We tried it.", "{#3-20w} samples of {m} were put into salted water.", "A ball of {m} and a ball of {material_poor} were dropped from a tower.", "For {#5-30} days we kept {a m_plate} in a glass box.",
    ),
    "material_poor": ("glass", "rubber", "wood", "wax", "clay", "cork"), "m_plate": ("plate of {m}", "rod of {m}", "wire of {m}", "ring of {m}"),
    "experiment_b": (
        "After {#5-55} minutes the temperature had risen by {#2-30} degrees.", "The {m} turned {colour} at the edges.", "Nothing happened until {clock}.", "We measured {#11-99d} volts.", "{hero} ~wrote down every value {manner}.", "The {ordinal} sample was {#2-30} grams lighter than before.", "There was a smell of {smell}.", "The length did not change by more than {#2-9} millimetres.", "The light of the lamp became {colour}.",
        "A control sample of {material_poor} showed no change.",
    ),
    "experiment_c": ("We conclude that {m} is not a good choice for {instrument.s}.", "The result agrees with what {sur} found in {#1950-2019}.", "The experiment should be repeated with more {m}.", "¿Was it the heat or the water? We cannot say yet.", "The error was about {#2-9} %.", "{hero} was {feeling} about the result."),
    "study_a": ("For {#3-25} years, <person:{hero} {sur}> has observed {c.s} near {city}.", "<person:Dr {sur}>, who teaches {subject} in {city}, counts {c.s}.", "A new study from {city} deals with the {c}.", "¿Do {c.s} dream? <person:{hero} {sur}> thinks so."),
    "study_b": ("{#40-900} animals were counted between {month} and {season}.", "Of {#40-90} {c.s}, {#3-30} carried a small transmitter.", "\"The {c} is never in a hurry,\" {speak.ed} {sur}.", "Every {weekday} the team {went.ed} into the {landscape} at {clock}.", "\"At first nobody ~believed us,\" {speak.ed} {hero}.", "A camera ~took {#200-9000,} pictures of them."),
    "study_c": ("The study will end in {month}.", "The results surprised even the {occupation.s} of the region.", "In warm years there were {#5-40} % more of them.", "Not one of them was afraid of the camera.", "{hero} now plans to {study} {bird.s} as well."),
    "biography_passage": (
        "{!hero=person}{!sur=surname}{!job=occupation}{!city=city}{bio_birth} {bio_youth} {bio_work} {bio_work}[ {bio_private}] {bio_late}",
        "{!hero=person}{!sur=surname}{!job=occupation}{!city=city}<title:{hero} {sur}, {job}>\n{bio_birth} {bio_youth} {bio_work} {bio_private} {bio_late}",
        "{!hero=person}{!sur=surname}{!job=occupation}{!city=city}{bio_late_open} {bio_birth2} {bio_youth} {bio_private}\n\n{bio_work} {bio_late}",
    ),
    "bio_birth": (
        "<person:{hero} {sur}> was born in {city} in {#1850-1880}, the {ordinal} child of {a occupation}.", "The {job} <person:{hero} {sur}> ~came from {city} in {city.country}, where {hero.he} was born on {date}, {#1850-1880}.", "<person:{hero} {sur}> was {a job} from {city}.", "Born in {city} in {month} {#1850-1880}, <person:{hero} {sur}> ~grew up among {material} and {metal}.",
        "There was no {job} in the family before <person:{hero} {sur}>, who was born in {city} in {#1850-1880}.", "<person:{hero} {sur}>, later a famous {job}, ~spent the first years of {hero.his} life in {city}.",
    ),
    "bio_late_open": ("Today few people in {city} remember <person:{hero} {sur}>.", "A street in {city} is named after <person:{hero} {sur}>.", "¿Who was <person:{hero} {sur}>?", "In the {place} of {city} there hangs a portrait of <person:{hero} {sur}>.", "No other {job} wrote so many letters as <person:{hero} {sur}>."),
    "bio_birth2": ("{Hero.he} was born in {month} {#1850-1880}.", "{Hero.he} was the {ordinal} of {#7-11w} children.", "{Hero.his} life ~began in {a place_look} house next to the {place}.", "{Hero.he} ~came from a family of {occupation.s}."),
    "bio_youth": (
        "As a child {hero.he} ~was {feeling} and {ill} ill.", "{Hero.he} studied {subject} and {subject}, but never finished.", "At the age of {#11-19w} {hero.he} ~left school and ~went to work for {a occupation}.", "{Hero.his} {kin} wanted {hero.him} to become {a occupation}.", "{Hero.he} ~taught {hero.himself} {language} from an old dictionary.", "From {hero.his} {kin} {hero.he} inherited a love of {pastime} and {a age} {instrument}.",
        "In {city} {hero.he} ~met <person:{person} {surname}>, who ~became {hero.his} teacher.",
    ),
    "ill": ("often", "rarely", "never"),
    "bio_work": (
        "In {#1900-1925} {hero.he} moved to {city}, where {hero.he} worked as {a job}.", "{Hero.his} {book_kind} of {#1903-1929} ~made {hero.him} famous.", "{Hero.he} travelled through {country} and {country} with only {a container} and {a garment}.", "For {#5-30} years {hero.he} {teach_verb.ed} in {city}.", "{Hero.he} ~won {#2-6w} prizes and ~gave the money away.", "The {group} of {city} was founded by {hero.him}.",
        "{sur} never ~became rich, but {hero.he} was not {bad_feeling} about it.", "Together with {hero.his} {kin} {hero.he} opened {a place} in {#1905-1929}.", "{Hero.he} designed {a look} {object} that is still made today.",
    ),
    "bio_private": ("{Hero.he} loved {pastime}, {dish.s} and {animal.s}.", "{Hero.he} never married.", "{Hero.he} always ~wore {a colour} {garment}, even in {season}.", "{Hero.he} ~had {#2-6w} children and {a pet}.", "{Hero.his} friends ~found {hero.him} {person_look} and {person_look}.", "\"{Abstract} is a matter of practice,\" {hero.he} once ~wrote.", "{Hero.he} could play the {instrument} and the {instrument}."),
    "bio_late": ("{Hero.he} died in {city} in {#1931-1945}.", "In {hero.his} last years {hero.he} ~lived quietly by {a landscape}.", "{Hero.his} letters are kept in the library of {city}.", "{Hero.his} {object} can be seen in a museum in {city}.", "Since {#1970-2015} a school in {country} has carried {hero.his} name.", "No one ~knows where {hero.he} is buried."),
    "riddle_passage": (
        "{quiz_item}\n\n{quiz_item}[\n\n{quiz_item}]", "<title:{quiz_title}>\n{quiz_item}\n{quiz_item}[\n{quiz_item}]", "{!hero=person}{!pal=person}{hero} ~asked {pal} a riddle.\n{riddle_item}\n{riddle_reply}",
        "{riddle_item}\n\n{riddle_item}", "<title:{quiz_title}>\n{riddle_item}\n{quiz_item}",
    ),
    "quiz_title": ("Quiz of the week", "{Weekday} riddles", "Questions for {crowd.s}", "Think before you answer", "Riddles for the {vehicle}", "Quiz: {subject}", "A quiz for {person}", "{Few} questions"),
    "quiz_item": (
        "Q: ¿In which country is {k=city}?\nA: In {k.country}.", "Q: ¿Which river flows through {k=river_city}?\nA: The <place:{k.river}>.", "Q: ¿What is the symbol of {k=element}?\nA: <code_name:{k.symbol}>.", "Q: ¿How many protons does {k=element} have?\nA: {k.number}, not one more.",
        "Q: ¿What do you call the young of {k=a creature}?\nA: The <animal:{k.young}>.", "Q: ¿What does {k=a creature} eat?\nA: Mostly <food:{k.food}>.", "Q: ¿Where would you find {k=a creature}?\nA: In its <place:{k.home}>, perhaps.", "Q: ¿How long is a year on {k=planet}?\nA: About {k.year} days.",
    ),
    "riddle_item": (
        "I have hands but no arms, and a face but no eyes. ¿What am I? (A <object:clock>.)", "I have {#60-99} keys and cannot open a single door. ¿What am I? (A <object:piano>.)", "The more you take from me, the bigger I become. ¿What am I? (A <place:hole>.)", "I have teeth but never eat {dish.s}. ¿What am I? (A <object:comb>.)", "I have a neck but no head, and I am full of {drink}. ¿What am I? (A <object:bottle>.)",
        "I follow {a occupation} all day and vanish at night. ¿What am I? (A shadow.)", "I have cities but no houses, rivers but no water. ¿What am I? (A <object:map>.)", "I become wetter the more I dry {a pet}. ¿What am I? (A <object:towel>.)", "I have {#2-9w} hundred leaves but am not {a tree}. ¿What am I? (A <object:book>.)", "I run from the {landscape} to the sea and have no legs. ¿What am I? (A <place:river>.)",
        "You can break me without touching me, in {a place} or at home. ¿What am I? (Silence.)",
    ),
    "riddle_reply": ("{pal} {gesture.ed}. \"That is too easy,\" {pal.he} {speak.ed}.", "{pal} thought about it until {clock}.", "\"I'll never guess,\" {complain.ed} {pal} {say_manner}.", "\"¿Is it {a object}?\" ~asked {pal}. It was not.", "{pal} ~knew the answer, but {pal.he} ~said nothing and ate {a sweet}."),
}
