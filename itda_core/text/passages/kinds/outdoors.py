# ruff: noqa: E501 (lists of words and sentences, one thought to a line)
"""Weather reports, sport reports and travel texts."""

from __future__ import annotations

from itda_core.text.passages.builder import Builder
from itda_core.text.passages.inflection import Word
from itda_core.text.passages.notation import parse


def _weather_numbers(b: Builder) -> None:
    """Temperatures that agree with each other and with the month."""
    month = b.draw("month")
    b.scope["month_now"] = month
    warm = {"December": 2, "January": 1, "February": 3, "March": 8, "April": 12, "May": 17, "June": 21, "July": 25, "August": 25,
            "September": 19, "October": 13, "November": 7}[month.forms[""]]  # fmt: skip
    high = warm + b.integer(-3, 4)
    low = high - b.integer(4, 9)
    cold = b.scope["cold"] = b.choose(_SNOW if high < 5 else _RAIN)
    assert cold
    for name, value in (("high", high), ("low", low), ("mild", high + b.integer(1, 3))):
        b.scope[name] = Word({"": str(value) if value >= 0 else f"minus {-value}"}, "number")


_SNOW = tuple(
    Word({"": text}, "weather")
    for text in ("snow", "sleet", "light snow", "heavy snow", "freezing rain", "wet snow", "hail")
)
_RAIN = tuple(
    Word({"": text}, "weather")
    for text in ("rain", "drizzle", "heavy rain", "light rain", "showers", "steady rain", "hail")
)


def _match(b: Builder) -> None:
    """A match between two teams; the winner scored more than the loser, and the scorers are of this match."""
    loser_goals = b.integer(0, 4)
    for name, value in (("won_by", loser_goals + b.integer(1, 3)), ("lost_with", loser_goals)):
        b.scope[name] = Word({"": str(value)}, "number")
    for name in ("home", "away"):
        city = b.draw("city").forms[""]
        b.scope[name] = Word({"": f"{city} {b.draw('team').forms['']}", "city": city}, "team", {"city": "place"})
    b.scope["star"], b.scope["coach"], b.scope["rival"] = b.draw("person"), b.draw("person"), b.draw("person")
    b.scope["star_name"], b.scope["coach_name"] = b.draw("surname"), b.draw("surname")
    b.scope["game"] = b.draw("ball_sport")
    b.write(b.choose(_MATCHES))


_MATCHES = tuple(
    parse(template)
    for template in (
        "{match_open} {match_course} {match_star} {match_end}",
        "<title:{match_title}>\n{match_open} {match_course} {match_course}[ {match_star}] {match_voice}",
        "{match_open} {match_star} {match_voice}[ {match_end}]",
        "<title:{match_title}>\n{match_scene} {match_open} {match_star} {match_end}",
    )
)

RULES = {
    "weather_numbers": _weather_numbers,
    "weather_passage": (
        "{weather_numbers}{!city=city}{forecast_today} {forecast_temperature} {forecast_later}[ {forecast_advice}]",
        "{weather_numbers}{!city=city}<title:{forecast_head}>\n{forecast_today} {forecast_temperature} {forecast_region} {forecast_later}",
        "{weather_numbers}{!city=city}{weather_memory} {forecast_temperature} {weather_effect}[ {weather_effect}] {forecast_later}",
        "{weather_numbers}{!city=city}<title:{forecast_head}>\n{forecast_today} {forecast_region}\n\n{forecast_temperature} {forecast_later} {forecast_advice}",
    ),
    "forecast_head": (
        "The weather in {city}",
        "Forecast for {weekday}, <time:{#2-28} {month_now}>",
        "{Weekday}'s weather",
        "Weather for the {landscape}",
        "The outlook for {month_now}",
        "Weather warning for {city.country}",
    ),
    "forecast_today": (
        "{Weekday} will begin {sky} in {city}, with {cold} from the west by noon.",
        "There will be {cold} in {city} until about {clock}.",
        "After {a sky} start the sky will turn {sky}.",
        "{A sky} morning will be followed by {a sky} afternoon.",
        "¿Will it be {sky} in {city} on {weekday}? Probably not before {clock}.",
        "The {sky} weather of the past {#2-9w} days is not over yet.",
        "Expect {weather_thing} in {city} today, and {cold} later on.",
        "On {weekday} it will stay {sky} near the coast, but {sky} in the hills.",
        "No {cold} is expected in {city} before {weekday}.",
        "Clouds from {city.country} and beyond will bring {cold} overnight.",
        "The day starts {sky}, and only {place_region} will see some sunshine.",
    ),
    "place_region": ("the south", "the north", "the islands", "the eastern valleys", "the west coast", "the mountains"),
    "forecast_temperature": (
        "Temperatures will reach {high} °C by day and fall to {low} °C at night.",
        "The highest temperature will be {high} degrees, the lowest {low}.",
        "At dawn it was {low} °C at the {place_measure}; by noon it should be {high} °C.",
        "It will not be warmer than {high} °C.",
        "With {high} °C it is {feels} for {month_now}.",
        "Tonight it will be {low} °C in the {landscape} and a little more in town.",
        "A wind of {#10-90} km/h will make the {high} degrees feel colder.",
        "Up to {#2-40} millimetres of {cold} may fall, at {low} to {high} °C.",
        "Only {#2-9w} hours of sunshine and {high} °C are expected.",
    ),
    "feels": ("rather cool", "quite normal", "unusual", "almost too warm", "pleasant enough"),
    "place_measure": (
        "airport",
        "harbour",
        "<place:observatory>",
        "<place:town hall>",
        "<place:lighthouse>",
        "station",
    ),
    "forecast_region": (
        "In {place_region} there may be {weather_thing}.",
        "{place_region_cap} will be {sky} and {sky}.",
        "Fog will form over the {landscape} towards morning.",
        "There is a {#20-90} % chance of {cold}.",
        "The {landscape} will have {weather_thing} all day.",
        "Gusts of {#50-110} km/h are possible near the {landscape}.",
        "Neither wind nor {cold} will trouble {place_region}.",
        "Above {#600-2400} metres there will be <weather:frost>.",
        "Further inland it stays {sky}.",
    ),
    "place_region_cap": (
        "The south",
        "The north",
        "The islands",
        "The eastern valleys",
        "The west coast",
        "The mountains",
    ),
    "forecast_later": (
        "By {weekday} it will be {sky} again.",
        "The rest of the week looks {sky}.",
        "On {weekday} the wind will turn to the (north|south|east|west), and it will be {mild} °C.",
        "Nothing will change before {weekday}.",
        "The weekend brings {weather_thing}.",
        "It will become {sky} towards evening.",
        "More {cold} will follow in the second half of the week.",
        "After that, {sky} days and {sky} nights.",
        "¿And on {weekday}? {Sky} at first, then {sky}.",
        "From {weekday} on, it should be {mild} °C.",
        "The next {cold} is not expected until {weekday}.",
    ),
    "forecast_advice": (
        "Take {a garment_rain} with you.",
        "Drivers should be careful on the bridges.",
        "Don't leave the (window|door|garage|skylight|greenhouse) open.",
        "Gardeners may want to cover their {flower.s}.",
        "The {vehicle_public} to the island will not run.",
        "{Hobby} is not advised.",
        "Schools stay open, but buses may be {#10-60} minutes late.",
        "It is a good day for {a book_kind} and some {drink}.",
        "Bring in the {furniture.s} before {clock}.",
        "Keep {pet.s} indoors after {clock}.",
    ),
    "garment_rain": (
        "<object:umbrella>",
        "<object:raincoat>",
        "warm <object:scarf>",
        "<object:hat>",
        "<object:pair of boots>",
    ),
    "weather_memory": (
        "The {ordinal} of {month_now} was the {extreme} day in {city} for {#5-80} years.",
        "All week there was {cold} over {city}.",
        "{cold_cap} ~fell on {city} for {#3-20w} hours without a break.",
        "On {weekday} evening a storm ~reached {city}.",
        "It has been {sky} in {city} since {weekday}.",
        "Nobody in {city} had expected {cold} in {month_now}.",
        "This {season} has been more {sky_long} than usual in {city}.",
    ),
    "sky_long": ("<weather:humid>", "<weather:unsettled>", "<weather:changeable>"),
    "cold_cap": ("<weather:Rain>", "<weather:Hail>", "<weather:Heavy rain>", "<weather:Drizzle>"),
    "extreme": ("coldest", "wettest", "windiest", "sunniest", "darkest", "quietest"),
    "weather_effect": (
        "{A tree} ~fell across the road to the {place}, but no one was hurt.",
        "The river ~rose by {#20-95} centimetres.",
        "At the {place} the lights ~went out at {clock}.",
        "{#2-60} trains were late.",
        "The {crowd.s} ~waited in the {place} until it was over.",
        "{A bird} ~was blown as far as {city}.",
        "In the gardens the {flower.s} are weeks too early.",
        "The {event} had to be moved to {weekday}.",
        "The {occupation.s} of the town were {feeling}.",
        "Children ~built {a animal} out of {ground}.",
        "Several {vehicle.s} could not leave the harbour or the yard.",
    ),
    # Sport.
    "sport_passage": _match,
    "match_title": (
        "{home} beat {away}",
        "{home} {won_by}–{lost_with} {away}",
        "{Praise} evening for {home}",
        "{away} lose again",
        "{star_name} (shines|decides the match|returns) in {home.city}",
        "No luck for {away}",
    ),
    "match_scene": (
        "{#1200-48000,} spectators ~came to the {stadium} on {weekday}.",
        "It was {a sky} {weekday} evening in {home.city}.",
        "The {game} season is almost over.",
        "There was {rainy} from the first minute.",
        "Both teams had lost {#2-5w} players to injury.",
        "The {game} final ~began {#10-40} minutes late.",
    ),
    "stadium": (
        "<place:stadium>",
        "<place:old stadium>",
        "<place:arena>",
        "<place:sports hall>",
        "<place:riverside ground>",
    ),
    "match_open": (
        "{home} ~beat {away} {won_by}–{lost_with} on {weekday}.",
        "{away} ~lost {lost_with}–{won_by} in {home.city} {when}.",
        "With {won_by} to {lost_with}, {home} {beat.ed} {away} in front of {#900-52000,} spectators.",
        "In the {game} cup, {home} {beat.ed} {away} by {won_by} to {lost_with}.",
        "{home} have won again: {won_by}–{lost_with} against {away}.",
        "Nobody expected {home} to beat {away}, but they ~won {won_by}–{lost_with}.",
        "The {game} match between {home} and {away} ended {won_by}–{lost_with}.",
        "¿Who can stop {home}? Not {away}, who ~lost {lost_with}–{won_by} on {weekday}.",
        "After {#2-9w} defeats in a row, {home} {beat.ed} {away} {won_by}–{lost_with}.",
    ),
    "match_course": (
        "It was even until the {#64-70}th minute, when {away} ~lost {a_player}.",
        "{away} ~began well, but they ~did not use their chances.",
        "The first half was {dull}, the second was not.",
        "{home} ~were faster, stronger and {good_feeling}.",
        "In the {#4-20}th minute the referee ~stopped play because of the {weather_noun}.",
        "{away} {complain.ed} about the referee, who had no doubts.",
        "For {#10-30} minutes {away} could not leave their own half.",
        "The {crowd.s} sang and waved {colour} {fan_thing}.",
        "{A animal} ~ran across the field and ~had to be caught by {#2-5w} players.",
        "Then everything happened within {#2-9w} minutes.",
        "At half-time the coach of {away} was {bad_feeling}.",
    ),
    "a_player": ("their captain", "their goalkeeper", "a player with a hurt knee", "the ball and their nerve"),
    "dull": ("slow", "rather dull", "nervous", "full of mistakes", "nothing to remember"),
    "match_star": (
        "<person:{star} {star_name}>, only {#17-36} years old, ~scored the deciding goal.",
        "The best player was <person:{star} {star_name}>, who used to be {a occupation}.",
        "{star_name} hurt {star.his} {body} and ~had to leave the field in the {#54-60}th minute.",
        "It was the {ordinal} match for <person:{star} {star_name}> since {star.his} injury in {month}.",
        '"I have never been so {good_feeling}," {speak.ed} <person:{star} {star_name}>.',
        "{star_name} played for {away.city} last year; now {star.he} plays for {home.city}.",
        "<person:{star} {star_name}> ~missed a penalty, but nobody blamed {star.him}.",
        "Everyone talked about <person:{star} {star_name}> and {star.his} {colour} shoes.",
        "Without <person:{star} {star_name}>, {home} would not have won.",
    ),
    "match_voice": (
        '"We ~played without {abstract}," {speak.ed} <person:{coach} {coach_name}>, the coach of {away}.',
        '"¿What can I say?" ~asked coach <person:{coach} {coach_name}> {say_manner}. "They were better."',
        'Coach {coach_name} was {feeling}: "We must train more."',
        '"It was not our day," {speak.ed} {coach_name}, who has coached {away} for {#2-9w} years.',
        '"I am {good_feeling} for the {crowd.s}," {speak.ed} <person:{coach} {coach_name}>, the coach of {home}.',
        "After the match, {coach_name} {gesture.ed} and ~left the {stadium} by taxi.",
        '"Next {weekday} we start again from zero," {speak.ed} {coach_name}.',
    ),
    "match_end": (
        "On {weekday} {home} will play in {city}.",
        "{home} are now in {ordinal} place with {#20-70} points.",
        "{away} have not won since {month}.",
        "The next match is on <time:{#2-28} {month}> at {clock}.",
        "It will be remembered as {a praise} evening.",
        "Only {#2-9w} matches are left.",
        "{home} can still win the title; {away} cannot.",
        "The {crowd.s} ~went home {feeling}.",
    ),
    "fan_thing": ("<object:scarves>", "<object:flags>", "<object:banners>", "<object:hats>"),
    # Travel.
    "travel_passage": (
        "{!city=river_city}{travel_open} {travel_river} {travel_see} {travel_food}[ {travel_tip}]",
        "{!city=city}<title:{travel_title}>\n{travel_open} {travel_see} {travel_food} {travel_tip}",
        "{!city=city}{!hero=person}{travel_hero} {travel_see} {travel_hero_next} {travel_food}[ {travel_hero_end}]",
        "{!city=river_city}<title:{travel_title}>\n{travel_open} {travel_river}\n\n{travel_see} {travel_see} {travel_tip}",
        "{!city=city}{travel_open} {travel_see} {travel_stay}\n\n{travel_food} {travel_tip}",
    ),
    "travel_title": (
        "{Few} days in {city}",
        "A weekend in {city}",
        "{City} in {season}",
        "Why we love {city}",
        "{City}: {a place_look} city",
        "{City} on foot",
        "From {city2} to {city}",
        "A letter from {city}",
    ),
    "travel_open": (
        "{City} lies in {city.country} and is older than most of its neighbours.",
        "There is no better month for {city} than {month}.",
        "Most visitors come to {city} in {season}, when the streets are {place_look}.",
        "{City}, in {city.country}, is both {place_look} and {place_look}.",
        "¿Have you ever been to {city}?",
        "You can reach {city} by {vehicle_public} in {#2-14w} hours.",
        "Of all the cities in {city.country}, {city} is the most {place_look_long}.",
        "We arrived in {city} at {clock}, and it was {sky}.",
        "In {city} the day begins at {clock}, with {drink} and {a sweet}.",
        "People say that {city} never sleeps, but on {weekday}s it does.",
        "The first thing you notice in {city} is the smell of {smell}.",
    ),
    "place_look_long": ("charming", "surprising", "elegant", "picturesque", "crowded", "musical"),
    "smell": (
        "<food:coffee>",
        "the sea",
        "<food:cinnamon>",
        "wood smoke",
        "<plant:jasmine>",
        "warm <food:bread>",
        "<food:oranges>",
        "wet stone",
    ),
    "travel_river": (
        "The <place:{city.river}> runs through the middle of the city, and {#3-20} bridges cross it.",
        "In the evening, people walk along the <place:{city.river}> and watch the {bird.s}.",
        "{A colour} boat takes you along the <place:{city.river}> for {#5-30} euros.",
        "From the bank of the <place:{city.river}> one sees the {place} and its {colour} roof.",
        "When the <place:{city.river}> is high, the {place_look} cafés on its banks stay closed.",
        "Nobody swims in the <place:{city.river}>, but everybody sits beside it.",
        "We rented {a vehicle_river} and ~followed the <place:{city.river}> as far as the {landscape}.",
        "Every {season} there is {a event} on the <place:{city.river}>.",
    ),
    "vehicle_river": (
        "<vehicle:canoe>",
        "<vehicle:bicycle>",
        "<vehicle:rowing boat>",
        "<vehicle:kayak>",
        "<vehicle:tandem>",
    ),
    "travel_see": (
        "The {place} is {#90-900} years old and has {a colour} door.",
        "Climb the {#120-480} steps of the tower: from there you can see the {landscape}.",
        "Do not miss the {museum}, where there is {a look} {object} from {country}.",
        "Behind the {place} is {a place_look} market for {fruit.s} and {flower.s}.",
        "The old town is full of {place_look} lanes, {place.s} and {city_animals}.",
        "A tram, the number {#2-28}, goes up to the {place}.",
        "In the {place_look} park there are {tree.s} older than any house.",
        "On {weekday}s {a instrument} player sits in front of the {place}.",
        "The {museum} costs {#5-25} euros, but on {weekday}s it is free.",
        "Outside the city you find {a landscape} with {flower.s} and {bird.s}.",
        "Every {weekday} there is {a event} by the {place}.",
        "The houses are {colour}, {colour} and {colour}, and no two are alike.",
    ),
    "city_animals": ("<animal:cats>", "<animal:pigeons>", "<animal:swallows>", "sleeping <animal:dogs>"),
    "museum": (
        "<place:museum of {pastime}>",
        "<place:museum of {subject}>",
        "<place:city museum>",
        "<place:museum of {instrument.s}>",
        "<place:gallery>",
        "<place:maritime museum>",
    ),
    "travel_food": (
        "For lunch, try {a dish} with {vegetable.s}; it costs about {#5-25} euros.",
        "The {dish.s} are {taste}, and the {drink} is {taste} too.",
        "In a small café we ~ate {sweet.s} with {fruit.s}.",
        "Everyone eats {dish.s} here, even for breakfast.",
        "Nowhere else are the {fruit.s} so {taste}.",
        "{A person_look} {occupation} told us where to find the best {dish.s}.",
        "At the market you can buy {spice}, {fruit.s} and {a size} {sweet}.",
        "If you don't like {protein}, ask for {staple} with {vegetable.s}.",
        "Dinner is never served before {clock}.",
    ),
    "travel_stay": (
        "We ~slept in a hotel with {#6-90} rooms and {a animal_look} {pet}.",
        "Our room had {a colour} {furniture} and a view of the {landscape}.",
        "The hostel next to the {place} costs {#15-60} euros a night.",
        "The owner, {a occupation} called {person}, ~gave us {drink}.",
        "A room with {a furniture} and no {gadget} was enough for us.",
    ),
    "travel_tip": (
        "Take {a garment} with you, for the evenings are {sky}.",
        "Do not come in {month}, when everything is full.",
        "Learn {#3-9w} words of the language, and people will be {good_feeling}.",
        "A ticket for the {vehicle_city} costs {#2-9} euros.",
        "Leave {city} before {weekday}, or you will never leave.",
        "Bring {a size} bag and no plans.",
        "¿Is it expensive? Not if you avoid the {place}.",
        "Two days are not enough.",
        "Ask for {a occupation} called {person}; everybody knows the name.",
        "The last {vehicle_city} leaves at {clock}.",
    ),
    "few": ("<number:two>", "<number:three>", "<number:four>", "<number:five>", "<number:seven>", "<number:ten>"),
    "vehicle_city": ("<vehicle:tram>", "<vehicle:metro>", "bus", "ferry", "<vehicle:cable car>"),
    "travel_hero": (
        "{hero} had wanted to see {city} since {hero.he} was {#6-15w}.",
        "{When_cap} {hero} ~took the {vehicle_public} to {city}.",
        "{hero} travels with only {a container}, {a garment} and {a book_kind}. This time {hero.he} ~went to {city}.",
        "After {#9-40} hours on the {vehicle_public}, {hero} ~reached {city} in {city.country}.",
        "{hero}, {a occupation}, ~spent {hero.his} holiday in {city}.",
        '"¿Why {city}?" everyone ~asked {hero}.',
        "{hero} didn't know anybody in {city}.",
    ),
    "travel_hero_next": (
        "{Hero.he} {went.ed} along the streets with {hero.his} camera.",
        "{hero} ~lost {hero.his} map and was {good_feeling} about it.",
        "Near the {place} {hero.he} ~met {a person_look} {occupation} who ~spoke {language}.",
        "In the evening {hero.he} {went.ed} to the {landscape} and watched the lights.",
        "{Hero.he} ~bought {a look} {object} for {hero.his} {kin}.",
        "{Hero.he} ~felt {feeling}, as one does far from home.",
        "{hero} ~wrote {#3-20w} postcards and ~forgot to post them.",
    ),
    "travel_hero_end": (
        "On the way back {hero.he} was already planning the next journey.",
        "{hero} ~stayed {#2-9w} days longer than planned.",
        "Only the {vehicle_public} home was {bad_ride}.",
        "{Hero.he} will come back in {month}.",
        "Today {hero.he} lives there.",
    ),
    "bad_ride": ("late", "full", "cold", "dirty", "cancelled"),
    "city2": ("<place:the airport>", "<place:the village>", "<place:the coast>", "<place:the mountains>"),
}
