# ruff: noqa: E501 (lists of words and sentences, one thought to a line)
"""The words, by category. An underscore stands for a space; irregular forms follow a slash."""

from __future__ import annotations

from .inflection import Word, noun, person, verb

_FEMALE = """
Anna Maria Clara Ines Sofia Lucy Emma Olivia Grace Hannah Nora Ruth Alice Beatrice Carmen Diana Elena Fatima
Greta Helen Irene Julia Karin Laura Maya Nadia Paula Rosa Sarah Tessa Ursula Vera Wendy Yasmin Zoe Amara Bridget
Chloé Daphne Edith Flora Gemma Harriet Ingrid Joan Keiko Leila Martha Naomi Octavia Priya Quinn Renée Sigrid Teresa
Una Violet Wilma Yuki Zainab Agnes Bella Cecilia Delia Esther Fiona Gloria Hilda Isabel Jane Kate Lydia Mabel Nina
Olga Pilar Rachel Sylvia Tamara Valerie Winifred Yvonne Aisha Birgit Constance Dorothy Eva Frances Gwen Heather
Iris Judith Kirsten Linda Miriam Nell Petra Rebecca Simone Thea Agatha Emily Josephine Margaret Penelope Susan
Charlotte Matilda Eleanor Zelda Rosalind Philippa Noor Mei Camille Astrid Brigitte
"""
_MALE = """
Adam Ben Carlos Daniel Edward Felix George Henry Ivan James Karl Leo Martin Noah Oscar Peter Robert Samuel Thomas
Victor William Yusuf Zachary Arthur Bruno Colin David Emil Frank Gustav Hugo Isaac Jonas Kenji Louis Marcus Nathan
Oliver Pablo Ralph Simon Tariq Ulrich Vincent Walter Xavier Andreas Bernard Cedric Dominic Eric Francis Gerald
Harold Igor Joseph Kevin Lucas Matteo Neil Otto Patrick Quentin Rafael Stefan Theo Umberto Wesley Anton Boris
Charles Dmitri Edmund Fernando Graham Hassan Ibrahim Jorge Klaus Lorenzo Miguel Nikolai Omar Philip Ravi Stanley
Timothy Vikram Albert Benedict Conrad Duncan Elias Frederick Gilbert Hector Jasper Kofi Lars Malcolm Niels Owen
Percy Roland Sebastian Tobias Wilfred André Günter Søren Jamal Diego Haruki Mateo Rupert Magnus
"""
_SURNAMES = """
Abbott Adler Almeida Anderson Baker Barros Becker Bennett Berg Blackwood Bloom Brandt Brennan Burke Calder Campbell
Cardoso Chandler Clarke Coleman Connolly Costa Crawford Dalton Darcy Delgado Dixon Donovan Duarte Eastwood Ellis
Eriksson Esposito Fairfax Ferreira Fischer Fletcher Fontaine Forster Fraser Gallagher Garcia Gardner Gibson Goldberg
Grant Greene Gupta Haddad Hansen Harper Hayashi Henderson Hoffmann Holloway Howard Hughes Ibsen Iqbal Ivanov Jackson
Jensen Johansson Kaminski Keller Kennedy Khan Kimura Kowalski Kumar Lambert Larsen Lawson Lehmann Lindgren Lopez
Lombardi Maclean Marchetti Marshall Mendes Mercer Meyer Moreau Morgan Moretti Mueller Murphy Nakamura Navarro Nelson
Newton Nilsson Novak Nguyen Oakley Okafor Oliveira Olsen Ortega Osborne Paxton Pereira Petrov Pham Porter Prescott
Quigley Ramsay Reid Reyes Ricci Rossi Russo Sanders Santos Sato Schneider Sharma Shepherd Silva Sinclair Sorensen
Spencer Stewart Sullivan Suzuki Takahashi Tanaka Thornton Tremblay Turner Underwood Vargas Vaughan Vega Wagner Walsh
Watanabe Webster Whitaker Wilson Wong Yamada Yates Zimmermann Zamora
"""
# City, country and the river that runs through it (or none).
_CITIES = """
Lisbon,Portugal,Tagus Porto,Portugal,Douro Coimbra,Portugal,Mondego Paris,France,Seine Lyon,France,Rhône
Bordeaux,France,Garonne Nantes,France,Loire London,England,Thames Bristol,England,Avon Newcastle,England,Tyne
Liverpool,England,Mersey Glasgow,Scotland,Clyde Perth,Scotland,Tay Dublin,Ireland,Liffey Cork,Ireland,Lee
Cardiff,Wales,Taff Vienna,Austria,Danube Salzburg,Austria,Salzach Graz,Austria,Mur Innsbruck,Austria,Inn
Budapest,Hungary,Danube Belgrade,Serbia,Danube Bratislava,Slovakia,Danube Prague,the_Czech_Republic,Vltava
Dresden,Germany,Elbe Hamburg,Germany,Elbe Cologne,Germany,Rhine Frankfurt,Germany,Main Bremen,Germany,Weser
Munich,Germany,Isar Heidelberg,Germany,Neckar Berlin,Germany,Spree Basel,Switzerland,Rhine Bern,Switzerland,Aare
Zürich,Switzerland,Limmat Rome,Italy,Tiber Florence,Italy,Arno Turin,Italy,Po Verona,Italy,Adige Pisa,Italy,Arno
Seville,Spain,Guadalquivir Córdoba,Spain,Guadalquivir Zaragoza,Spain,Ebro Valladolid,Spain,Pisuerga
Warsaw,Poland,Vistula Kraków,Poland,Vistula Wrocław,Poland,Oder Riga,Latvia,Daugava Kaunas,Lithuania,Neman
Turku,Finland,Aura Rotterdam,the_Netherlands,Meuse Antwerp,Belgium,Scheldt Liège,Belgium,Meuse
Ljubljana,Slovenia,Ljubljanica Zagreb,Croatia,Sava Sarajevo,Bosnia,Miljacka Skopje,North_Macedonia,Vardar
Kyiv,Ukraine,Dnipro Tbilisi,Georgia,Kura Cairo,Egypt,Nile Luxor,Egypt,Nile Khartoum,Sudan,Nile
Kinshasa,Congo,Congo Bamako,Mali,Niger Kyoto,Japan,Kamo Tokyo,Japan,Sumida Seoul,South_Korea,Han
Shanghai,China,Huangpu Wuhan,China,Yangtze Bangkok,Thailand,Chao_Phraya Hanoi,Vietnam,Red_River
Saigon,Vietnam,Saigon_River Kolkata,India,Hooghly Varanasi,India,Ganges Delhi,India,Yamuna Baghdad,Iraq,Tigris
Brisbane,Australia,Brisbane_River Melbourne,Australia,Yarra Hobart,Australia,Derwent Montreal,Canada,Saint_Lawrence
Ottawa,Canada,Ottawa_River Calgary,Canada,Bow_River Manaus,Brazil,Amazon Belém,Brazil,Amazon Iquitos,Peru,Amazon
Lima,Peru,Rímac Chicago,Illinois,Chicago_River Boston,Massachusetts,Charles Memphis,Tennessee,Mississippi
Pittsburgh,Pennsylvania,Ohio Portland,Oregon,Willamette Philadelphia,Pennsylvania,Delaware
Athens,Greece Naples,Italy Venice,Italy Palermo,Italy Bologna,Italy Genoa,Italy Madrid,Spain Barcelona,Spain
Valencia,Spain Granada,Spain Málaga,Spain Bilbao,Spain Marseille,France Nice,France Toulouse,France Braga,Portugal
Faro,Portugal Évora,Portugal Edinburgh,Scotland Aberdeen,Scotland Galway,Ireland Belfast,Northern_Ireland
Brighton,England Cambridge,England Oxford,England York,England Copenhagen,Denmark Aarhus,Denmark Oslo,Norway
Bergen,Norway Tromsø,Norway Stockholm,Sweden Gothenburg,Sweden Malmö,Sweden Helsinki,Finland Tampere,Finland
Reykjavík,Iceland Tallinn,Estonia Tartu,Estonia Vilnius,Lithuania Brussels,Belgium Ghent,Belgium Bruges,Belgium
Amsterdam,the_Netherlands Utrecht,the_Netherlands Geneva,Switzerland Lucerne,Switzerland Leipzig,Germany
Stuttgart,Germany Split,Croatia Dubrovnik,Croatia Sofia,Bulgaria Plovdiv,Bulgaria Bucharest,Romania Istanbul,Turkey
Ankara,Turkey Izmir,Turkey Marrakesh,Morocco Casablanca,Morocco Tunis,Tunisia Algiers,Algeria Alexandria,Egypt
Nairobi,Kenya Mombasa,Kenya Kampala,Uganda Dakar,Senegal Accra,Ghana Lagos,Nigeria Kigali,Rwanda Lusaka,Zambia
Harare,Zimbabwe Durban,South_Africa Beirut,Lebanon Amman,Jordan Muscat,Oman Isfahan,Iran Tashkent,Uzbekistan
Samarkand,Uzbekistan Almaty,Kazakhstan Lahore,Pakistan Karachi,Pakistan Mumbai,India Jaipur,India Chennai,India
Colombo,Sri_Lanka Kathmandu,Nepal Dhaka,Bangladesh Mandalay,Burma Vientiane,Laos Jakarta,Indonesia Manila,the_Philippines
Taipei,Taiwan Osaka,Japan Sapporo,Japan Nagasaki,Japan Busan,South_Korea Beijing,China Sydney,Australia
Adelaide,Australia Darwin,Australia Auckland,New_Zealand Wellington,New_Zealand Vancouver,Canada Toronto,Canada
Halifax,Canada Seattle,Washington Denver,Colorado Houston,Texas Atlanta,Georgia Havana,Cuba Kingston,Jamaica
Bogotá,Colombia Medellín,Colombia Quito,Ecuador Santiago,Chile Valparaíso,Chile Montevideo,Uruguay
Salvador,Brazil Recife,Brazil Caracas,Venezuela
"""
# Element, symbol, atomic number, what it looks like at room temperature.
_ELEMENTS = """
hydrogen,H,1,colourless_gas helium,He,2,colourless_gas lithium,Li,3,soft_silvery_metal carbon,C,6,solid
nitrogen,N,7,colourless_gas oxygen,O,8,colourless_gas neon,Ne,10,colourless_gas sodium,Na,11,soft_silvery_metal
magnesium,Mg,12,light_silvery_metal aluminium,Al,13,light_silvery_metal silicon,Si,14,dark_grey_solid
sulfur,S,16,yellow_solid chlorine,Cl,17,pale_green_gas argon,Ar,18,colourless_gas
potassium,K,19,soft_silvery_metal calcium,Ca,20,grey_metal titanium,Ti,22,strong_grey_metal
chromium,Cr,24,hard_shiny_metal iron,Fe,26,grey_metal cobalt,Co,27,hard_grey_metal nickel,Ni,28,silvery_metal
copper,Cu,29,reddish_metal zinc,Zn,30,bluish_grey_metal bromine,Br,35,red-brown_liquid krypton,Kr,36,colourless_gas
silver,Ag,47,bright_white_metal tin,Sn,50,silvery_metal iodine,I,53,dark_violet_solid xenon,Xe,54,colourless_gas
tungsten,W,74,very_hard_metal platinum,Pt,78,silvery_metal gold,Au,79,yellow_metal mercury,Hg,80,silvery_liquid
lead,Pb,82,heavy_grey_metal bismuth,Bi,83,brittle_metal uranium,U,92,heavy_silvery_metal
"""
_PLANETS = """
Mercury,88,3.3,no,0.4 Venus,225,8.9,no,0.7 Mars,687,0.6,two,1.5 Jupiter,4333,1.9,many,5.2 Saturn,10759,0.7,many,9.5
Uranus,30687,0.9,many,19 Neptune,60190,1.0,several,30
"""
# Animal, its young, its home, its food: each true of the animal.
_CREATURES = """
fox,cub,den,mice_and_beetles wolf,pup,den,deer_and_hares badger,cub,sett,worms_and_roots
otter,pup,holt,fish_and_crabs beaver,kit,lodge,bark_and_water_plants rabbit,kit,burrow,grass_and_clover
owl,owlet,hollow_tree,mice_and_voles eagle,eaglet,nest_on_a_cliff,fish_and_hares swan,cygnet,nest_among_the_reeds,water_plants
penguin,chick,crowded_colony,fish_and_krill stork,chick,nest_on_a_chimney,frogs_and_insects
bear,cub,cave,berries_and_salmon lion,cub,savanna,antelope_and_zebra elephant,calf,savanna,grass_and_leaves
giraffe,calf,savanna,acacia_leaves whale,calf,open_ocean,krill_and_small_fish seal,pup,rocky_shore,fish_and_squid
kangaroo,joey,dry_grassland,grass_and_shrubs koala,joey,eucalyptus_forest,eucalyptus_leaves
squirrel,kit,nest_of_twigs,nuts_and_seeds hedgehog,hoglet,nest_of_leaves,slugs_and_beetles mole,pup,tunnel,earthworms
hare,leveret,shallow_hollow,grass_and_herbs deer,fawn,quiet_forest,leaves_and_buds goat,kid,rocky_hillside,grass_and_thistles
bat,pup,dark_cave,moths_and_midges frog,tadpole,still_pond,flies_and_worms dolphin,calf,warm_sea,fish_and_squid
"""

_NOUNS: dict[str, tuple[str | None, str]] = {
    "pet": (
        "animal",
        "dog cat puppy kitten rabbit hamster parrot tortoise pony goat goose/geese duckling canary donkey lamb "
        "guinea_pig spaniel terrier greyhound sheepdog poodle budgie ferret",
    ),
    "animal": (
        "animal",
        "fox badger hedgehog squirrel deer/deer otter wolf/wolves bear hare mole weasel stoat lynx beaver "
        "moose/moose mouse/mice rat bat toad frog newt lizard snake adder tortoise turtle crab snail spider beetle bee "
        "wasp butterfly/butterflies moth dragonfly cricket ant grasshopper caterpillar ladybird goat sheep/sheep cow "
        "horse donkey pig camel elephant giraffe zebra lion tiger leopard cheetah monkey gorilla kangaroo koala panda "
        "hippo rhinoceros crocodile antelope buffalo/buffalo hyena jackal mongoose porcupine raccoon skunk chipmunk llama",
    ),
    "bird": (
        "animal",
        "robin sparrow thrush/thrushes blackbird owl swallow swift heron stork crow raven magpie jay wren finch "
        "eagle falcon hawk kestrel buzzard gull puffin cormorant pelican swan duck goose/geese crane kingfisher "
        "woodpecker cuckoo nightingale starling pigeon dove peacock pheasant quail lark goldfinch flamingo ibis",
    ),
    "sea_animal": (
        "animal",
        "dolphin whale seal walrus shark octopus squid jellyfish/jellyfish starfish/starfish seahorse "
        "salmon/salmon trout/trout herring mackerel tuna cod/cod eel ray lobster prawn sea_turtle porpoise oyster",
    ),
    "vegetable": (
        "food",
        "carrot potato/potatoes tomato/tomatoes leek courgette aubergine pepper beetroot parsnip turnip "
        "cucumber radish onion shallot artichoke pumpkin cabbage cauliflower mushroom chilli/chillies "
        "sweet_potato/sweet_potatoes fennel_bulb stick_of_celery/sticks_of_celery",
    ),
    "fruit": (
        "food",
        "apple pear plum peach apricot orange lemon lime fig cherry banana mango/mangoes pineapple melon nectarine "
        "quince grapefruit pomegranate tangerine clementine strawberry raspberry blackberry blueberry gooseberry date",
    ),
    "dish": (
        "food",
        "soup stew casserole curry omelette pie salad risotto lasagne paella quiche pancake sandwich dumpling "
        "sausage kebab burger pizza flatbread meatball fishcake fritter pasty gratin ratatouille tagine goulash chowder "
        "soufflé crêpe",
    ),
    "sweet": (
        "food",
        "cake biscuit scone muffin tart crumble trifle pudding brownie doughnut éclair meringue cookie bun "
        "flapjack cheesecake waffle pavlova macaroon sorbet",
    ),
    "object": (
        "object",
        "lamp clock watch mirror basket bottle notebook pencil pen envelope parcel suitcase umbrella ticket coin "
        "purse wallet candle lantern compass map camera telescope magnifying_glass photograph painting vase teapot jug "
        "kettle saucepan blanket pillow cushion carpet curtain ladder bucket broom rope whistle bell kite puzzle doll "
        "puppet chessboard dictionary atlas diary newspaper magazine postcard stamp calendar ruler stapler calculator "
        "keyboard radio telephone torch battery drawer trunk jar tin box/boxes tray spoon fork knife/knives plate bowl "
        "mug glass saucer napkin tablecloth thermos rucksack padlock brooch necklace ring bracelet medal trophy statue "
        "globe microscope thermometer hourglass music_box/music_boxes typewriter snow_globe toolbox/toolboxes",
    ),
    "tool": (
        "object",
        "hammer saw drill spanner screwdriver chisel file plane pliers/pliers spade rake hoe trowel wheelbarrow axe "
        "shears/shears paintbrush sandpaper_block crowbar clamp spirit_level tape_measure soldering_iron wrench mallet",
    ),
    "furniture": (
        "object",
        "table chair wardrobe bookcase sofa desk stool bench cupboard bed armchair dresser chest_of_drawers/chests_of_drawers "
        "sideboard cradle shelf/shelves coat_stand footstool cabinet hammock deckchair",
    ),
    "instrument": (
        "object",
        "piano violin cello flute clarinet trumpet guitar harp drum accordion trombone oboe ukulele mandolin "
        "banjo saxophone harmonica tambourine organ bassoon viola recorder xylophone",
    ),
    "garment": (
        "object",
        "coat jacket scarf/scarves hat cap jumper shirt dress skirt sock glove boot shoe slipper waistcoat cardigan "
        "raincoat apron belt tie mitten sandal blouse cloak beret shawl dressing_gown swimsuit uniform",
    ),
    "body": (
        None,
        "hand foot/feet knee elbow shoulder finger thumb ankle wrist head arm leg back neck ear eye cheek nose chin toe heel hip",
    ),
    "road_vehicle": ("vehicle", "car van lorry motorbike taxi minibus tractor truck scooter camper_van jeep coach"),
    "vehicle": (
        "vehicle",
        "car van lorry bus/buses tram bicycle motorbike taxi tractor train ferry rowing_boat canoe yacht barge "
        "helicopter balloon ambulance fire_engine scooter truck minibus carriage sledge sailing_boat kayak tricycle "
        "cable_car steam_engine glider airship hovercraft fishing_boat lifeboat tugboat caravan wagon",
    ),
    "flower": (
        "plant",
        "rose tulip daffodil daisy lily sunflower poppy violet orchid iris/irises geranium lavender_bush bluebell crocus "
        "snowdrop pansy marigold peony carnation foxglove primrose dahlia hyacinth buttercup cornflower jasmine_bush "
        "magnolia camellia hydrangea chrysanthemum",
    ),
    "tree": (
        "plant",
        "oak beech birch willow maple pine ash elm poplar cedar cypress chestnut fir yew hawthorn rowan alder lime_tree "
        "apple_tree cherry_tree fig_tree olive_tree walnut_tree pear_tree holly larch spruce sycamore palm",
    ),
    "place": (
        "place",
        "library station market museum school hospital church harbour bakery bank post_office park castle theatre café "
        "restaurant hotel bridge square university cinema pharmacy bookshop police_station town_hall playground stadium "
        "swimming_pool lighthouse farm mill factory airport cathedral cemetery gallery gymnasium laundry hardware_store "
        "greengrocer's/greengrocers barber's/barbers butcher's/butchers garage workshop warehouse courthouse monastery "
        "zoo aquarium observatory botanical_garden concert_hall town_square fish_market flower_shop toy_shop tea_room",
    ),
    "landscape": (
        "place",
        "forest valley meadow beach lake hill mountain cliff marsh island canal orchard vineyard moor desert canyon "
        "waterfall glacier lagoon bay dune stream pond hillside field wood cave river headland heath",
    ),
    "room": (
        "place",
        "kitchen bedroom bathroom attic cellar hallway garden dining_room living_room study garage pantry "
        "laundry_room porch balcony conservatory greenhouse shed",
    ),
    "occupation": (
        "occupation",
        "teacher doctor nurse baker butcher farmer fisherman/fishermen carpenter plumber electrician engineer "
        "architect painter sculptor musician composer writer journalist editor librarian postman/postmen policeman/policemen "
        "firefighter soldier sailor pilot driver mechanic waiter chef gardener florist tailor shoemaker jeweller "
        "watchmaker dentist surgeon vet chemist physicist biologist astronomer geologist historian lawyer judge clerk "
        "accountant banker cashier shopkeeper barber hairdresser photographer actor dancer singer conductor "
        "translator programmer potter weaver blacksmith miner lighthouse_keeper beekeeper shepherd locksmith "
        "bricklayer optician pharmacist midwife/midwives goalkeeper bus_driver archaeologist economist",
    ),
    "kin_f": ("person", "mother sister aunt grandmother cousin niece godmother neighbour"),
    "kin_m": ("person", "father brother uncle grandfather nephew godfather neighbour cousin"),
    "kin": (
        "person",
        "mother sister aunt grandmother niece father brother uncle grandfather nephew cousin neighbour godmother godfather",
    ),
    "crowd": (
        "person",
        "neighbour visitor tourist child/children student passenger customer villager guest stranger pupil "
        "spectator colleague traveller pensioner teenager shopper commuter parent volunteer",
    ),
    "group": (
        None,
        "choir orchestra book_club chess_club rowing_club drama_society gardening_society hiking_group sewing_circle "
        "brass_band dance_class youth_club debating_society history_society",
    ),
    "building_part": (
        "object",
        "door window roof chimney gate fence wall staircase ceiling tap boiler gutter doorbell banister hinge "
        "lock skylight shutter drainpipe floorboard",
    ),
    "event": (
        None,
        "wedding birthday_party/birthday_parties festival concert exhibition fair carnival reunion funeral picnic parade "
        "auction lecture rehearsal graduation christening harvest_supper village_fête quiz_night ceremony play",
    ),
    "scheme": (
        None,
        "bridge library tram_line swimming_pool bus_route playground footpath cycle_lane community_garden flood_barrier "
        "health_centre sports_hall wind_farm recycling_centre market_hall art_gallery school fire_station skate_park",
    ),
    "ball_sport": (
        "sport",
        "football basketball handball volleyball hockey rugby cricket water_polo baseball lacrosse netball",
    ),
    "racket_sport": ("sport", "tennis badminton squash table_tennis"),
    "book_kind": (
        None,
        "novel biography thriller memoir poetry_collection detective_story travel_guide cookbook play fairy_tale "
        "history_book science_fiction_novel ghost_story comic short_story_collection",
    ),
    "gadget": (
        "object",
        "kettle vacuum_cleaner toaster radio camera lamp fan blender coffee_machine alarm_clock hairdryer tent rucksack "
        "sleeping_bag bicycle_pump frying_pan food_mixer headset printer desk_chair umbrella pressure_cooker keyboard torch",
    ),
    "container": (None, "bag box/boxes crate basket jar tray packet sack carton drawer"),
    "small_thing": (
        "object",
        "marble button stamp coin bead sticker pencil shell pebble postcard badge balloon candle crayon ribbon "
        "nail screw envelope bottle magnet",
    ),
}
_NOUN_LISTS_MASS: dict[str, tuple[str | None, str]] = {
    "spice": (
        "food",
        "cinnamon paprika cumin nutmeg turmeric ginger oregano thyme rosemary basil parsley coriander saffron mint dill sage "
        "cardamom black_pepper sea_salt tarragon chives marjoram",
    ),
    "staple": (
        "food",
        "rice pasta couscous lentils chickpeas noodles barley quinoa beans polenta bulgur spelt buckwheat",
    ),
    "protein": (
        "food",
        "chicken beef pork lamb bacon tofu cod salmon sausage ham turkey duck haddock halloumi tempeh prawns mackerel",
    ),
    "topping": (
        "food",
        "grated_cheese toasted_almonds chopped_walnuts sour_cream yoghurt pine_nuts breadcrumbs crème_fraîche sesame_seeds "
        "lemon_zest parmesan feta crispy_onions mozzarella hazelnuts pumpkin_seeds",
    ),
    "drink": (
        "food",
        "tea coffee lemonade cider hot_chocolate apple_juice ginger_beer peppermint_tea mulled_wine elderflower_cordial "
        "sparkling_water orange_juice milk",
    ),
    "grocery": (
        "food",
        "bread butter milk cheese honey jam marmalade olive_oil vinegar mustard flour sugar yoghurt cream oats cereal "
        "crackers rice pasta salt tea coffee cocoa raisins peanut_butter maple_syrup soy_sauce ketchup mayonnaise yeast",
    ),
    "household": (
        "object",
        "soap toothpaste shampoo washing_powder candles matches batteries sponges string light_bulbs kitchen_roll "
        "dustbin_bags sticking_plasters glue wrapping_paper drawing_pins bleach clothes_pegs",
    ),
    "sport": (
        "sport",
        "football tennis swimming rowing cycling athletics basketball volleyball hockey rugby gymnastics skiing skating "
        "judo fencing archery sailing handball badminton wrestling boxing surfing climbing golf cricket karate",
    ),
    "hobby": (
        "sport",
        "swimming cycling fencing rowing climbing skating sailing archery judo badminton gymnastics running",
    ),
    "pastime": (
        None,
        "knitting chess photography pottery stargazing birdwatching origami calligraphy gardening woodwork astronomy "
        "baking genealogy watercolours embroidery fishing juggling crosswords",
    ),
    "subject": (
        None,
        "mathematics chemistry physics biology geography history literature astronomy philosophy economics geology "
        "botany zoology architecture medicine engineering linguistics archaeology law music psychology statistics",
    ),
    "material": (
        None,
        "wood glass clay leather cotton wool silk linen marble granite bronze brass steel porcelain velvet bamboo "
        "cardboard plastic concrete brick wax rubber felt oak slate ivory_paper denim pewter",
    ),
    "metal": (None, "copper iron silver brass steel tin bronze nickel zinc"),
    "colour": (
        "colour",
        "red blue green yellow orange purple white black grey brown pink scarlet crimson turquoise violet golden silver "
        "cream beige navy emerald amber ivory olive lilac maroon indigo teal",
    ),
    "weather_thing": (
        "weather",
        "rain snow fog drizzle hail sleet mist sunshine thunder heavy_rain light_snow freezing_fog "
        "a_thunderstorm a_cold_wind scattered_showers bright_sunshine a_hard_frost a_gentle_breeze",
    ),
    "rainy": ("weather", "rain drizzle sleet snow hail heavy_rain light_rain showers wet_snow steady_rain"),
    "sky": (
        "weather",
        "cloudy sunny overcast foggy misty windy stormy rainy snowy frosty breezy humid mild chilly hazy clear "
        "drizzly showery bright muggy blustery thundery dull icy",
    ),
    "feeling": (
        "feeling",
        "happy sad angry proud nervous lonely calm excited worried tired grateful jealous ashamed afraid delighted "
        "curious relieved disappointed surprised hopeful embarrassed content miserable anxious cheerful homesick bored "
        "confused thrilled furious guilty restless astonished bewildered amused impatient overjoyed uneasy",
    ),
    "good_feeling": (
        "feeling",
        "happy proud calm excited grateful delighted relieved hopeful content cheerful thrilled overjoyed glad "
        "amused peaceful",
    ),
    "bad_feeling": (
        "feeling",
        "sad angry nervous lonely worried tired ashamed afraid disappointed embarrassed miserable anxious homesick "
        "bored confused furious guilty restless uneasy frightened upset gloomy discouraged",
    ),
    "feeling_noun": (
        "feeling",
        "joy sorrow anger pride fear relief delight shame curiosity envy gratitude hope loneliness surprise "
        "disappointment excitement despair tenderness sadness affection nostalgia",
    ),
    "weekday": ("time", "Monday Tuesday Wednesday Thursday Friday Saturday Sunday"),
    "month": ("time", "January February March April May June July August September October November December"),
    "season": ("time", "spring summer autumn winter"),
    "ordinal": ("number", "first second third fourth fifth sixth seventh eighth ninth tenth"),
    "country": (
        "place",
        "Portugal France Spain Italy Greece Norway Sweden Iceland Ireland Poland Hungary Japan Vietnam India Nepal Kenya "
        "Morocco Egypt Peru Chile Brazil Canada Mexico Australia Turkey Georgia Mongolia Tanzania Bolivia Argentina Cuba "
        "Croatia Bulgaria Romania Finland Estonia Malta Cyprus Ethiopia Madagascar Indonesia Malaysia Cambodia",
    ),
    "language": (
        None,
        "French German Spanish Portuguese Italian Japanese Arabic Dutch Greek Polish Russian Turkish Swedish Hindi Korean "
        "Latin Welsh Finnish Hungarian Czech Swahili Mandarin Persian Icelandic",
    ),
    "size": (
        None,
        "small large tiny huge enormous little big narrow wide tall short heavy light thin thick round square",
    ),
    "age": (None, "old new ancient antique worn battered modern brand-new second-hand broken dusty rusty faded shiny"),
    "look": (
        None,
        "beautiful elegant plain strange unusual ordinary delicate handsome peculiar pretty ugly curious charming crooked "
        "striped spotted polished painted carved embroidered velvet-lined wooden",
    ),
    "person_look": (
        None,
        "tall short elderly young bearded thin cheerful quiet grumpy kindly freckled well-dressed silver-haired "
        "red-cheeked absent-minded talkative shy solemn good-natured stubborn polite",
    ),
    "place_look": (
        None,
        "quiet crowded noisy narrow sunny shady deserted busy peaceful hidden ancient charming windy remote dusty "
        "lively sleepy elegant gloomy picturesque",
    ),
    "animal_look": (
        None,
        "young old hungry frightened clever lazy shy noisy tame wild curious injured sleepy playful thirsty timid fat "
        "fearless skinny lost",
    ),
    "taste": (
        None,
        "delicious sweet sour bitter salty spicy creamy crunchy tender juicy rich crisp fragrant smoky buttery nutty mild "
        "tangy velvety peppery",
    ),
    "praise": (
        None,
        "excellent wonderful splendid superb remarkable brilliant delightful impressive marvellous outstanding charming "
        "reliable memorable thoughtful generous flawless moving gripping",
    ),
    "blame": (
        None,
        "dreadful disappointing dull clumsy careless overpriced tedious flimsy unreliable terrible mediocre predictable "
        "confusing tasteless noisy awkward sloppy forgettable",
    ),
    "manner": (
        None,
        "quickly slowly quietly carefully eagerly gently suddenly calmly bravely patiently nervously cheerfully silently "
        "politely gracefully clumsily thoughtfully hurriedly steadily proudly anxiously warily",
    ),
    "say_manner": (
        None,
        "softly quietly firmly kindly sharply gently cheerfully sadly proudly nervously politely gravely calmly crossly "
        "dreamily drily hoarsely impatiently shyly sternly thoughtfully wearily",
    ),
    "often": (
        "time",
        "every_day every_week once_a_week twice_a_month every_other_day every_Sunday every_morning every_autumn once_a_year "
        "each_spring most_evenings",
    ),
    "adverb_maybe": (None, "perhaps probably certainly surely apparently evidently presumably undoubtedly"),
    "abstract": (
        None,
        "patience courage honesty kindness freedom justice friendship wisdom luck truth beauty peace ambition memory "
        "silence loyalty imagination generosity",
    ),
    "company": (
        None,
        "Northgate Silverline Bluebird Harbourside Greenfield Starling_& Oakridge Summit Lakeside Whitestone Meridian "
        "Brightwater Kingfisher Ironbridge Redwood Compass",
    ),
    "team": (
        None,
        "Rovers United Wanderers City Athletic Rangers Harriers Falcons Lions Tigers Eagles Hornets Dragons Panthers "
        "Comets Mariners Wolves Saints Giants Hawks",
    ),
}
_VERBS = {
    "went": "walk hurry run/ran/run cycle drive/drove/driven wander stroll jog march rush trudge stride/strode/stridden travel/travelled/travelled "
    "race dash creep/crept/crept head limp skip tiptoe amble saunter plod trot",
    "handle": "find/found/found clean polish repair paint carry hide/hid/hidden borrow lose/lost/lost sell/sold/sold buy/bought/bought "
    "steal/stole/stolen lift drop examine photograph wrap pack admire describe draw/drew/drawn bring/brought/brought "
    "collect deliver inherit inspect keep/kept/kept label lend/lent/lent measure mend notice order forget/forgot/forgotten "
    "own recognise rescue return unpack unwrap value weigh choose/chose/chosen mislay/mislaid/mislaid retrieve restore",
    "speak": "say/said/said whisper shout answer reply/replied/replied mutter laugh explain sigh call cry announce admit "
    "murmur declare exclaim insist remark add",
    "complain": "complain grumble protest moan mutter groan snap",
    "gesture": "smile nod shrug frown blush wave wink yawn sigh grin laugh shiver stammer whistle hum bow blink sneeze "
    "kneel/knelt/knelt sit_down/sat/sat stand_up/stood/stood",
    "watch": "watch see/saw/seen notice spot hear/heard/heard follow photograph feed/fed/fed rescue chase befriend observe draw/drew/drawn "
    "meet/met/met admire",
    "creep": "sleep/slept/slept hide/hid/hidden crouch rest wait sit/sat/sat drink/drank/drunk shiver dig/dug/dug linger graze "
    "doze shelter stand/stood/stood",
    "cut": "chop slice dice peel grate rinse halve quarter trim wash shred crush scrub",
    "cook": "fry roast boil steam bake grill simmer brown sauté/sautéed/sautéed poach braise toast warm",
    "build": "build/built/built design construct restore repair open close paint renovate extend demolish inspect rebuild/rebuilt/rebuilt",
    "study": "study discover describe measure investigate explain observe classify compare record predict",
    "hobby_verb": "read/read/read write/wrote/written paint sing/sang/sung dance swim/swam/swum knit sew/sewed/sewn draw/drew/drawn cook "
    "bake garden fish hike juggle sketch ski climb skate row sail",
    "beat": "beat/beat/beaten defeat overcome/overcame/overcome outplay thrash edge_past stun eliminate trounce overwhelm",
    "make_craft": "make/made/made carve knit sew/sewed/sewn weave/wove/woven paint build/built/built assemble decorate sketch design "
    "varnish embroider mould sharpen",
    "teach_verb": "teach/taught/taught lecture publish travel/travelled/travelled write/wrote/written research experiment",
    "please": "please surprise impress delight amuse puzzle annoy encourage comfort upset/upset/upset astonish inspire irritate charm "
    "frighten worry embarrass disturb reassure",
    "plan": "visit call thank invite help teach/taught/taught pay/paid/paid phone meet/met/met interview forgive/forgave/forgiven",
    "think": "wonder guess imagine remember dream hope believe realise suspect know/knew/known understand/understood/understood",
    "begin": "begin/began/begun finish stop start prefer enjoy practise miss postpone resume avoid",
    "break_down": "stall break_down/broke/broken shudder skid stop rattle slow_down swerve arrive vanish "
    "leave/left/left wobble",
}


def _entries(text: str) -> list[str]:
    return text.split()


def _build() -> dict[str, tuple[Word, ...]]:
    women = [person(name, True) for name in _entries(_FEMALE)]
    men = [person(name, False) for name in _entries(_MALE)]
    lexicon: dict[str, tuple[Word, ...]] = {
        "woman": tuple(women),
        "man": tuple(men),
        "person": tuple(women + men),
        "surname": tuple(Word({"": name}, "person") for name in _entries(_SURNAMES)),
    }
    for category, (label, text) in _NOUNS.items():
        lexicon[category] = tuple(noun(entry, label) for entry in _entries(text))
    for category, (label, text) in _NOUN_LISTS_MASS.items():
        lexicon[category] = tuple(Word({"": entry.replace("_", " ")}, label) for entry in _entries(text))
    for category, text in _VERBS.items():
        lexicon[category] = tuple(verb(entry) for entry in _entries(text))

    cities = []
    for entry in _entries(_CITIES):
        city, country, *river = entry.replace("_", " ").split(",")
        cities.append(Word({"": city, "country": country} | ({"river": river[0]} if river else {}), "place"))
    lexicon["city"] = tuple(cities)
    lexicon["river_city"] = tuple(city for city in cities if "river" in city.forms)

    elements = (entry.split(",") for entry in _entries(_ELEMENTS))
    lexicon["element"] = tuple(
        Word(
            {"": name, "symbol": symbol, "number": number, "look": look.replace("_", " ")},
            "substance",
            {"number": "number", "look": None},
        )
        for name, symbol, number, look in elements
    )
    planets = (entry.split(",") for entry in _entries(_PLANETS))
    lexicon["planet"] = tuple(
        Word(
            {"": name, "year": f"{int(year):,}", "moons": moons, "au": au},
            "place",
            {"year": "number", "moons": None, "au": "number"},
        )
        for name, year, _, moons, au in planets
    )
    creatures = (entry.replace("_", " ").split(",") for entry in _entries(_CREATURES))
    lexicon["creature"] = tuple(
        Word(
            {
                "": name,
                "s": "deer"
                if name == "deer"
                else "wolves"
                if name == "wolf"
                else name + "es"
                if name == "fox"
                else name + "s",
                "young": young,
                "home": home,
                "food": food,
            },
            "animal",
            {"home": "place", "food": "food"},
        )
        for name, young, home, food in creatures
    )
    return lexicon


LEXICON = _build()
