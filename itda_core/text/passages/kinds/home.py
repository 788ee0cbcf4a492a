# ruff: noqa: E501 (lists of words and sentences, one thought to a line)
"""Recipes, lists and instructions: what is done at home, step by step."""

from __future__ import annotations

from itda_core.text.passages.builder import Builder
from itda_core.text.passages.notation import parse


def _ingredients(b: Builder) -> None:
    """The ingredient line(s): two vegetables, a staple or a protein, a spice; all bound for the steps."""
    if b.random() < 0.5:
        b.write(_AS_LINES)
    else:
        b.write(_AS_SENTENCE)


_AS_LINES = parse("\n- {#2-6} {veg.s}\n- {#2-5} {veg2.s}\n- {#100-400} g {base}[\n- {#2-4} tablespoons olive oil]\n- a pinch of {spice}\n")
_AS_SENTENCE = parse(
    " (You need|Take|For {#2-6w} people you need|Buy) {#2-6w} {veg.s}, {#2-5w} {veg2.s}, {#150-500} grams of {base} and "
    "(a little|a pinch of|a teaspoon of|some) {spice}. "
)


def _listing(b: Builder, row: str, low: int, high: int) -> None:
    bullet = b.choose(("- ", "* ", "• ", "[ ] ", "", "1"))
    for number in range(1, b.integer(low, high) + 1):
        b.text("\n")
        if bullet == "1":
            b.text(f"{number}", "number")
            b.text(". ")
        else:
            b.text(bullet)
        b.rule(row)


_ROWS = {
    "rows_shopping": lambda b: _listing(b, "shopping_row", 6, 11),
    "rows_todo": lambda b: _listing(b, "todo_row", 5, 8),
    "rows_packing": lambda b: _listing(b, "packing_row", 6, 11),
    "rows_wish": lambda b: _listing(b, "wish_row", 5, 9),
    "rows_found": lambda b: _listing(b, "found_row", 5, 8),
    "rows_resolution": lambda b: _listing(b, "resolution_row", 4, 7),
    "rows_sighting": lambda b: _listing(b, "sighting_row", 5, 8),
}

RULES = {
    **_ROWS,
    "ingredients": _ingredients,
    "recipe_passage": (
        "{!meal=dish}{!veg=vegetable}{!veg2=vegetable}{!base=staple}{!spice=spice}<title:{recipe_title}>\n{recipe_intro}{ingredients}{step_prepare} {step_start} {step_middle} {step_end}",
        "{!meal=dish}{!veg=vegetable}{!veg2=vegetable}{!base=protein}{!spice=spice}<title:{recipe_title}>\n{recipe_intro}{ingredients}{step_prepare} {step_start} {step_middle} {step_middle} {step_end}[ {recipe_tip}]",
        "{!meal=dish}{!veg=vegetable}{!veg2=vegetable}{!base=staple}{!spice=spice}{recipe_intro}{ingredients}{step_prepare} {step_start} {step_middle} {step_end} {recipe_tip}",
        "{!meal=sweet}{!fruit=fruit}{!spice=spice}<title:{Fruit} {meal}>\n{bake_need} {bake_start} {bake_middle} {bake_end}[ {recipe_tip}]",
        "{!meal=sweet}{!fruit=fruit}{!spice=spice}{bake_intro} {bake_need} {bake_start} {bake_middle} {bake_end}",
    ),
    "recipe_title": (
        "{Veg} and {veg2} {meal}", "{Veg} {meal} with {spice}", "{Base} with {veg.s}", "<person:{person}>'s {base} {meal}", "Quick {veg} {meal}", "{Taste} {veg2} {meal}",
        "{Meal} from {country}", "{Season} {meal}", "{Colour} {meal} with {base}", "{Weekday} {meal}",
    ),
    "recipe_intro": (
        "This {taste} {meal} is ready in {#15-80} minutes.", "{A meal} for {#2-8w} hungry guests.", "My {kin} used to make this {meal} every {weekday}.",
        "There is no better {meal} on {a sky_plain} evening.", "This {meal} comes from {country}, where it is eaten in {season}.", "You do not need to be a chef to make this {taste} {meal}.",
        "Nothing smells better than {a meal} with {spice}.", "¿What can one do with {veg.s} in {month}? Here is an answer.", "A simple {meal}, {taste} and {taste}.",
        "Children love this {meal}, and it costs less than £{#3-12}.",
    ),
    "sky_plain": ("<weather:cold>", "<weather:rainy>", "<weather:foggy>", "<weather:windy>", "<weather:frosty>", "<weather:stormy>", "<weather:chilly>"),
    "step_prepare": (
        "First {cut} the {veg.s} and {cut} the {veg2.s}.", "{Cut} the {veg.s} and put them into a bowl with the {veg2.s}.", "Begin with the {veg.s}: {cut} them, and do the same with the {veg2.s}.",
        "Wash the {veg.s} and {veg2.s} and {cut} them into {size_piece} pieces.", "While the oven heats to {#160-220} °C, {cut} the {veg.s} and the {veg2.s}.",
        "{Cut} the {veg2.s}, but leave the {veg.s} whole.", "{Cut} everything except the {base}.", "Rinse the {veg.s}, {cut} the {veg2.s}, and mix both with the {spice}.",
    ),
    "size_piece": ("small", "large", "thin", "thick", "even", "bite-sized"),
    "step_start": (
        "Heat the oil in a (large|heavy|deep) pan and fry the {veg2.s} for {#3-12} minutes.", "{Cook} the {base} in salted water until it is tender.", "Melt some butter and {cook} the {veg.s} over a low heat.",
        "Put the {base} into a pot, cover it with water and bring it to the boil.", "{Cook} the {veg.s} for {#5-15w} minutes, stirring all the time.",
        "Add the {spice} to the hot oil and wait until it smells {taste}.", "In a second pan, {cook} the {base} gently.", "Pour {#150-900} millilitres of water over the {base}.",
        "{Cook} the {veg2.s} with a little garlic until they are {colour_cooked}.",
    ),
    "colour_cooked": ("soft", "<colour:golden>", "<colour:brown>", "nearly black at the edges"),
    "step_middle": (
        "Then stir in the {base} and season with {spice}.", "Add the {veg.s}, the {veg2.s} and a (cup|glass) of water, and let the {meal} simmer for {#10-45} minutes.",
        "Now lower the heat and cover the pan.", "Do not stir too often, or the {base} will break.", "Taste it: if it is not {taste} enough, add more {spice}.",
        "Turn everything after {#4-20} minutes.", "Mix in a spoonful of {topping} and {cook} it for {#2-9w} more minutes.", "Meanwhile, beat {#2-5w} eggs with some {topping}.",
        "When the {veg2.s} are soft, add the {veg.s}.", "Remove the lid so that the water can evaporate.",
    ),
    "step_end": (
        "Serve the {meal} hot, with {topping}.", "Sprinkle with {topping} and eat at once.", "Divide between {#2-6w} plates and decorate with {topping}.", "Let it rest for {#5-15w} minutes before you serve it.",
        "It tastes best with {drink} and a slice of bread.", "Bake it at {#170-220} °C until the top is <colour:golden>.", "Add a squeeze of lemon, and the {meal} is ready.",
        "Serve in {colour} bowls with {topping} on top.", "Cold {base} keeps for {#2-4w} days, so make enough for {weekday}.",
    ),
    "recipe_tip": (
        "Tip: use {spice2} instead of {spice} if you like it {taste}.", "Never use too much {spice}.", "In {season} you can add {a fruit}.", "What is left over can be eaten cold on the next day.",
        "A glass of {drink} goes well with it.", "My {kin} adds {topping}, but I don't.", "If you have no {topping}, try {topping}.", "¿Too {taste}? A spoonful of yoghurt helps.",
    ),
    "spice2": ("<food:chilli flakes>", "<food:bay leaves>", "<food:allspice>", "<food:cloves>", "<food:lemon thyme>", "<food:star anise>", "<food:fennel seeds>"),
    "bake_intro": (
        "{A fruit} {meal} like this one won {person} the {ordinal} prize at the {event}.", "Every {season} we bake {a fruit} {meal}.", "There is always time for {a fruit} {meal}.",
        "¿Too many {fruit.s} in the garden? Make {a meal}!", "My {kin}'s {meal} was never {bad_cake}.", "This is the easiest {meal} I know.",
    ),
    "bad_cake": ("dry", "too sweet", "burnt", "the same twice", "large enough"),
    "bake_need": (
        "You need {#2-9w} {fruit.s}, {#150-350} g flour, {#80-200} g sugar and {#2-5w} eggs.", "Take {#2-8w} ripe {fruit.s}, {#2-4w} eggs, {#100-300} grams of flour and a pinch of salt.",
        "Ingredients: {#100-250} g butter, {#90-250} g sugar, {#2-5} eggs, {#3-9} {fruit.s}, a little {spice}.",
    ),
    "bake_start": (
        "Beat the butter and the sugar until the mixture is almost white.", "Whisk the eggs with the sugar for {#3-9w} minutes.", "Sift the flour into a large bowl and add the {spice}.",
        "Heat the oven to {#160-200} °C and butter {a size} tin.", "Wash the {fruit.s}, dry them and cut them into slices.", "Melt the butter slowly, and do not let it turn brown.",
    ),
    "bake_middle": (
        "Fold in the flour and the {fruit.s}.", "Stir the {fruit.s} and the {spice} into the dough.", "Pour half of the mixture into the tin, add the {fruit.s}, and cover them with the rest.",
        "Knead the dough for {#4-12w} minutes, then let it rest under a cloth for {#20-60}.", "Arrange the {fruit.s} on top and scatter {spice} and sugar over them.", "Add a glass of milk if the dough is too firm.",
    ),
    "bake_end": (
        "Bake for {#20-60} minutes.", "After {#25-60} minutes in the oven the {meal} should be <colour:golden>.", "Let it cool for {#10-30} minutes, and serve it with cream.",
        "Bake until a needle comes out clean, and do not open the oven before that.", "Decorate with {topping_sweet} and serve with {drink}.",
    ),
    "topping_sweet": ("<food:icing sugar>", "<food:melted chocolate>", "<food:whipped cream>", "<food:candied peel>", "<food:flaked almonds>", "<food:honey>"),
    # Lists.
    "list_passage": (
        "<title:{shopping_head}>{rows_shopping}[\n\n{shopping_note}]", "<title:{todo_head}>{rows_todo}", "<title:{packing_head}>{rows_packing}[\n\n{packing_note}]",
        "<title:{wish_head}>{rows_wish}", "<title:{found_head}>{rows_found}[\n\nPlease ask {the_occupation}.]", "<title:{resolution_head}>{rows_resolution}",
        "<title:{sighting_head}>{rows_sighting}",
    ),
    "the_occupation": ("the <occupation:caretaker>", "the <occupation:librarian>", "the <occupation:conductor>", "<person:{person} {surname}>"),
    "shopping_head": ("Shopping list", "Shopping list for {weekday}", "Things to buy", "For the {event}", "Groceries for {person}", "To buy at the {place}", "{Weekday}: market", "Still needed for the {meal_any}"),
    "meal_any": ("<food:soup>", "<food:picnic lunch>", "<food:barbecue>", "<food:pie>", "<food:birthday cake>", "<food:salad>"),
    "shopping_row": (
        "{#2-12} {vegetable.s}", "{#2-12} {fruit.s}", "{grocery}", "{grocery} ({#2-4} packets)", "{#200-900} g {staple}", "{#100-800} g {protein}", "{household}", "fresh {spice}",
        "a bag of {fruit.s}", "{grocery}, the {colour} kind", "{drink}", "{a garment} for {person}?", "{#2-9} {small_thing.s}", "{#2-3} litres of {drink}", "{topping}", "{#3-15} {sweet.s}, not too {taste}",
        "{household} (if under £{#2-9})", "no more {grocery}!",
    ),
    "shopping_note": ("Don't spend more than £{#20-90}.", "Back before {clock}!", "Ask {person} about the {fruit.s}.", "Pay in cash, they don't take cards.", "Not the {place}, it is closed on {weekday}s."),
    "todo_head": ("To do", "To do on {weekday}", "Jobs for the weekend", "Before the {event}", "Don't forget", "This week", "{Month}", "Jobs for {person}"),
    "todo_row": (
        "{plan_cap} {person} at {clock}", "repair the {building_part} in the {room}", "buy {a object} for {person}", "water the {flower.s}", "take the {pet} to the vet", "return the {object} to {person}",
        "clean the {room}", "paint the {furniture} {colour}", "practise the {instrument} for {#20-60} minutes", "wash the {colour} {garment}", "write to {person} in {city}", "pay the {occupation} (£{#20-300})",
        "book tickets to {city} for {month}", "{hobby}, {clock}", "find out when the {place} opens", "don't call {person} before {weekday}", "finish the {book_kind}", "study {language}: lesson {#3-40}",
        "plant {a tree}", "ask {person}: ¿who has the {tool}?",
    ),
    "plan_cap": ("call", "visit", "thank", "phone", "meet", "help"),
    "packing_head": ("Packing list", "Packing for {city}", "What to take to {country}", "In the suitcase", "For the trip on {date}", "Camping by the {landscape}"),
    "packing_row": (
        "{a garment}", "{#2-6} {garment.s}", "the {colour} {garment}", "{object}", "{household}", "map of {city}", "{a book_kind}", "{fruit.s} and {sweet.s} for the journey", "warm {garment.s} ({month} is {sky})",
        "tickets ({vehicle_public}, {clock})", "{gadget}", "{#30-300} euros in cash", "present for {person}", "no {gadget} this time", "{drink} in a bottle", "address of the {occupation}",
    ),
    "vehicle_public": ("<vehicle:train>", "<vehicle:ferry>", "<vehicle:bus>", "<vehicle:night train>"),
    "packing_note": ("Do not take more than {#7-23} kg.", "The {vehicle_public} leaves at {clock}.", "Passport!", "¿Do we need {garment.s} in {month}?", "{person} brings the tent."),
    "wish_head": ("Wishes of {person} for {#2027-2035}", "Wish list", "Birthday wishes", "What {person} would like", "Presents", "Ideas for the {kin}"),
    "wish_row": (
        "{a look} {object}", "a journey to {city}", "{a instrument}", "{a pet}", "lessons in {pastime}", "{a colour} {garment}", "{a gadget} that works", "{a book_kind} about {animal.s}", "{a size} {vehicle_toy}",
        "a day without {chore}", "tickets for the {event}", "{#2-9} {flower.s} for the balcony", "{a garment}, not {colour}", "more {abstract}", "an evening with {person}",
    ),
    "chore": ("homework", "meetings", "washing-up", "telephone calls", "visitors", "noise"),
    "vehicle_toy": ("toy {road_vehicle}", "toy <vehicle:train>", "model <vehicle:ship>", "<vehicle:bicycle>"),
    "found_head": ("Lost and found, {place}", "Found on the {vehicle_public} in {month}", "Lost property: {weekday}", "Left behind at the {event}"),
    "found_row": (
        "{a colour} {garment} ({room})", "{a object}, {age}", "{#2-9} {small_thing.s} in {a container}", "{a instrument} without its case", "one {garment}, {size}", "{a book_kind} in {language}",
        "{a look} {object}", "{a pet} (already collected)", "£{#2-40} in coins", "{a material} ring", "keys with {a colour} ribbon",
    ),
    "resolution_head": ("Good intentions", "Rules of the {group}", "Plans for {#2027-2035}", "House rules", "My rules"),
    "resolution_row": (
        "{hobby_verb} every {weekday}", "no {sweet.s} after {clock}", "learn {language}", "never speak of {abstract} before {clock}", "{plan} {person} more often", "do not feed the {animal.s}",
        "no {garment.s} on the {furniture.s}", "save £{#10-90} a month", "walk to the {place} at least {often}", "read {#5-40} books about {subject}", "be less {bad_feeling}", "close the {building_part} at night",
        "wash up at once, not tomorrow", "{pastime} on {weekday} evenings only",
    ),
    "sighting_head": ("Birds of {month}", "Seen by the {landscape} on {date}", "Animals at the {landscape}", "Nature diary, {season}", "Counted at dawn"),
    "sighting_row": (
        "{#2-30} {bird.s}", "{a bird} on {a tree}", "{#2-9} {animal.s}, all {animal_look}", "{a animal_look} {animal}", "one {bird}, {colour} head", "{#2-6} {sea_animal.s} near the coast", "{flower.s} in bloom",
        "no {bird.s} at all", "{a animal}, {clock}", "tracks of {a animal} in the {ground}",
    ),
    # Instructions.
    "instructions_passage": (
        "{!thing=gadget}<title:{gadget_head}>\n{gadget_step} {gadget_step} {gadget_step} {gadget_warning}[ {gadget_end}]",
        "{!thing=furniture}<title:How to (paint|restore|assemble|varnish) {a thing}>\n1. {craft_start}\n2. {craft_step}\n3. {craft_step}\n4. {craft_end}",
        "{!plant=flower}<title:How to (grow|plant|care for) {plant.s}>\n{plant_intro} {plant_step} {plant_step} {plant_step} {plant_end}",
        "{!pet=pet}<title:(Caring for|Looking after|Living with) {a pet}>\n{pet_step} {pet_step} {pet_step} {pet_step}",
        "{!place=place}<title:{Way_head}>\n{way_start} {way_step} {way_step} {way_end}",
        "{!thing=small_thing}<title:A game for {#2-6w} players>\n{game_start} {game_step} {game_step} {game_end}",
    ),
    "gadget_head": ("How to use your new {thing}", "{Thing}: quick start", "Before you use the {thing}", "Cleaning the {thing}", "If the {thing} does not work"),
    "gadget_step": (
        "Take the {thing} out of its box and place it on a flat {furniture}.", "Press the {colour} button for {#2-9w} seconds.", "Check that the battery is not empty.", "Turn the {thing} off before you clean it.",
        "Wait {#2-30} minutes until it has cooled down.", "Wipe it with a soft cloth, but never with {bad_fluid}.", "Open the {small_lid} at the back with {a tool}.", "{A colour} light shows that it is ready.",
        "Keep the receipt for {#2-5w} years.", "Fasten all {#3-8w} screws firmly.", "Remove the {colour} ribbon.", "If nothing happens, repeat the last step.",
    ),
    "bad_fluid": ("hot water", "oil", "vinegar", "<object:bleach>", "petrol"),
    "small_lid": ("lid", "cover", "panel", "flap"),
    "gadget_warning": (
        "Never leave it near {a road_vehicle_part} or in the rain.", "Do not use the {thing} in the {room}.", "¿Is it still not working? Then ask {a occupation}.", "Keep it away from children and {pet.s}.",
        "It must not get hotter than {#40-90} °C.", "Do not try to repair it yourself.", "You cannot use it without its {small_lid}.",
    ),
    "road_vehicle_part": ("open fire", "heater", "hot engine", "open window"),
    "gadget_end": ("Enjoy your {thing}!", "Your {thing} should last for {#5-20} years.", "Now it is ready.", "You will find more in the {colour} booklet.", "Call us on {weekday}s until {clock}."),
    "craft_start": ("Put old {paper} on the floor and open a window.", "Take off the drawers and clean the {thing} with warm water.", "Lay out all the parts: there should be {#8-40} screws.", "Choose a dry day in {month}.", "Measure the {thing} twice before you begin."),
    "craft_step": (
        "Smooth the surface with {a tool}.", "Paint it {colour} and let it dry for {#3-24} hours.", "Fix the legs with {#4-12w} screws, not with nails.", "Fill every crack with {filler}.", "Ask somebody to hold the other side.",
        "Rub it with a cloth of {cloth} until it shines.", "If you have no {tool}, {a tool} will do.", "Add a thin line of {colour} along the edge.", "Use {material} for the handles.",
    ),
    "filler": ("putty", "wax", "glue and sawdust", "plaster"),
    "craft_end": ("Wait until {weekday} before you put anything on it.", "Stand back and be {good_feeling}.", "Put it in the {room}, away from the sun.", "Clean your {tool} and close the paint tin.", "Write the date underneath: one day someone will be {good_feeling} to find it."),
    "plant_intro": (
        "{Plant.s} love {soil} soil and plenty of light.", "It is not hard to grow {plant.s}.", "The best month for {plant.s} is {growing_month}.", "Even a small balcony has room for {plant.s}.", "Most {plant.s} flower in {flower_season}.",
    ),
    "growing_month": ("<time:March>", "<time:April>", "<time:May>", "<time:September>"),
    "flower_season": ("<time:spring>", "<time:early summer>", "<time:late summer>"),
    "soil": ("dry", "moist", "sandy", "rich", "light", "deep"),
    "plant_step": (
        "Dig a hole {#5-30} centimetres deep.", "Leave {#10-50} centimetres between the plants.", "Water them {often}, but never at noon.", "Cut off the dead flowers with {a tool_sharp}.", "Protect the young leaves from {slugs}.",
        "Put {a size} stone at the bottom of the pot.", "Do not plant them under {a tree}.", "A little {compost} in {month} does no harm.", "In winter, cover them with straw.", "They don't like {cold_weather}.",
    ),
    "tool_sharp": ("pair of scissors", "sharp <object:knife>", "pair of <object:shears>"),
    "slugs": ("<animal:slugs>", "<animal:snails>", "<animal:pigeons>", "<animal:caterpillars>", "<weather:frost>"),
    "compost": ("compost", "coffee", "ash", "old leaf mould"),
    "cold_weather": ("<weather:frost>", "<weather:strong wind>", "<weather:heavy rain>", "<weather:fog>"),
    "plant_end": ("With a little {abstract} you will have flowers in {#6-14} weeks.", "The first flowers are often {colour}.", "¿No flowers? Then they need more sun.", "They will come back every year.", "Bees and <animal:butterflies> will thank you."),
    "pet_step": (
        "Feed your {pet} at {clock} and again in the evening.", "{A pet} needs fresh water every day.", "Never give it {sweet.s} or {drink}.", "It likes to sleep in {a container} with an old {garment}.", "Brush it {often}.",
        "If it is {animal_look}, play with it for {#10-40} minutes.", "Take it to the vet once a year.", "Do not leave it alone for more than {#3-9w} hours.", "¿Does it hide under the {furniture}? Be patient.",
        "Give it a name of {#2-3w} syllables.", "A frightened {pet} should not be touched.", "Keep it away from the {room}.",
    ),
    "way_head": ("How to find the {place}", "The way to the {place}", "Getting to the {place} on foot", "For our guests: the way to the {place}"),
    "way_start": ("Leave the station by the {colour} door.", "Start at the {crossing}.", "From the harbour, walk uphill for {#5-20} minutes.", "Take the number {#2-40} bus and get off at the {crossing}.", "Stand with your back to the river."),
    "way_step": (
        "Turn (left|right) at the {crossing}.", "Go past {a age} {tree} and {a colour} house.", "Cross the square, but do not take the stairs.", "After {#50-900} metres you will see {a landscape}.", "Follow the {street} as far as the {crossing}.",
        "Keep the wall on your (left|right).", "Don't stop at the first gate.",
    ),
    "street": ("<place:{tree_cap} Street>", "<place:{tree_cap} Lane>", "<place:{tree_cap} Avenue>", "river", "old railway line"),
    "way_end": ("The {place} is on the (left|right), behind {a tree}.", "It is the {ordinal} door; there is no bell.", "You cannot miss it.", "If you come to {a landscape}, you have gone too far.", "Ask for <person:{person} {surname}>, the {occupation}."),
    "game_start": ("Each player gets {#3-12w} {thing.s}.", "Put {#12-40} {thing.s} into {a container}.", "The youngest player begins.", "Draw a circle and place {#5-15w} {thing.s} inside."),
    "game_step": (
        "Throw {a dice}; whoever has the highest number takes {a thing}.", "If you lose all your {thing.s}, you are out.", "Nobody may speak while someone else is thinking.", "The {colour} {thing.s} count twice.", "After {#2-9w} rounds, change places.",
        "You may not take more than {#2-5w} {thing.s} at once.", "Whoever laughs loses {a turn}.",
    ),
    "dice": ("die", "coin"),
    "turn": ("turn", "point", "round"),
    "game_end": ("The player with the most {thing.s} wins.", "A game lasts about {#15-60} minutes.", "The loser makes the {drink_hot}.", "¿Is it a draw? Then the {person_look} player wins."),
    "drink_hot": ("<food:tea>", "<food:coffee>", "<food:cocoa>"),
}
