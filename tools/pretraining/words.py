"""Word lists that the generated chats draw from. Written by hand for this project."""


def _split(text):
    return [word.replace("_", " ") for word in text.split()]


FIRST_NAMES = _split("""
Anna Ben Clara David Elena Felix Grace Hugo Iris Jonas Kira Liam Maria Noah Olivia Paul Quinn Rosa Samuel
Tara Umar Vera Walter Xenia Yusuf Zoe Amir Bella Carlos Diana Erik Fatima George Hannah Ivan Julia Kofi
Lena Marco Nina Oscar Priya Rafael Sofia Tomas Ursula Victor Wendy Yara Zain Aiko Bruno Chen Dalia Emil
Farid Greta Hiro Ines Jamal Karin Leo Mina Nadia Omar Petra Ravi Sara Theo Uma Vikram Wei Ximena Yuki Zara
Alice Bob Charlie Emma Frank Henry Jack Kate Lucy Mike Nora Peter Rachel Steve Tom Will Adele Boris Celia
""")
LAST_NAMES = _split("""
Smith Jones Brown Miller Davis Garcia Lopez Wilson Anderson Taylor Moore Martin Lee Clark Lewis Walker Hall
Young King Wright Hill Green Adams Baker Nelson Carter Mitchell Roberts Turner Parker Evans Collins Stewart
Novak Kowalski Schmidt Weber Fischer Rossi Bianchi Silva Santos Ivanov Petrov Tanaka Sato Kim Park Nguyen
Tran Singh Patel Khan Ali Hassan Okafor Mensah Diallo Haddad Larsen Berg Lindqvist Virtanen Jansen Dubois
Moreau Laurent Keller Huber Papadakis Yilmaz Demir Cohen Levy Murphy Kelly O'Brien Campbell Fraser Sinclair
""")
CITIES = _split("""
London Paris Berlin Madrid Rome Vienna Prague Warsaw Lisbon Oslo Stockholm Helsinki Copenhagen Dublin Athens
Budapest Zurich Geneva Brussels Amsterdam Hamburg Munich Milan Naples Porto Seville Valencia Lyon Marseille
Krakow Riga Tallinn Vilnius Sofia Bucharest Belgrade Zagreb Cairo Nairobi Lagos Accra Dakar Tunis Casablanca
Istanbul Ankara Tehran Dubai Doha Mumbai Delhi Chennai Dhaka Bangkok Hanoi Jakarta Manila Singapore Seoul
Tokyo Osaka Kyoto Beijing Shanghai Sydney Melbourne Perth Auckland Toronto Montreal Vancouver Boston Chicago
Denver Seattle Austin Dallas Houston Miami Atlanta Phoenix Portland Detroit Havana Lima Bogota Santiago Quito
""")
COUNTRIES = [
    ("France", "Paris", "French"), ("Germany", "Berlin", "German"), ("Spain", "Madrid", "Spanish"),
    ("Italy", "Rome", "Italian"), ("Portugal", "Lisbon", "Portuguese"), ("Norway", "Oslo", "Norwegian"),
    ("Sweden", "Stockholm", "Swedish"), ("Finland", "Helsinki", "Finnish"), ("Denmark", "Copenhagen", "Danish"),
    ("Ireland", "Dublin", "English"), ("Greece", "Athens", "Greek"), ("Poland", "Warsaw", "Polish"),
    ("Austria", "Vienna", "German"), ("Hungary", "Budapest", "Hungarian"), ("Japan", "Tokyo", "Japanese"),
    ("China", "Beijing", "Chinese"), ("Egypt", "Cairo", "Arabic"), ("Kenya", "Nairobi", "Swahili"),
    ("Peru", "Lima", "Spanish"), ("Chile", "Santiago", "Spanish"), ("Cuba", "Havana", "Spanish"),
    ("Russia", "Moscow", "Russian"), ("Turkey", "Ankara", "Turkish"), ("Vietnam", "Hanoi", "Vietnamese"),
    ("Canada", "Ottawa", "English"), ("Australia", "Canberra", "English"), ("Brazil", "Brasilia", "Portuguese"),
    ("India", "New Delhi", "Hindi"), ("Thailand", "Bangkok", "Thai"), ("England", "London", "English"),
    ("Belgium", "Brussels", "Dutch"), ("Croatia", "Zagreb", "Croatian"), ("Iceland", "Reykjavik", "Icelandic"),
]
COLORS = _split("red blue green yellow orange purple black white gray brown pink teal navy gold silver violet amber crimson")
ANIMALS = _split("""cat dog horse cow sheep goat pig rabbit fox wolf bear lion tiger monkey elephant mouse owl eagle
sparrow duck goose swan hen frog snake turtle whale shark salmon bee ant spider butterfly camel donkey deer""")
FOODS = _split("""bread cheese apple pear plum cherry grape lemon orange banana tomato potato carrot onion garlic rice
pasta soup salad egg butter milk honey sugar salt pepper coffee tea juice cake pie fish chicken beef beans""")
OBJECTS = _split("""chair table lamp bottle basket hammer ladder mirror pencil notebook umbrella candle blanket pillow
kettle spoon plate bucket broom clock camera radio phone laptop keyboard monitor printer backpack bicycle scooter tent
jacket scarf glove boot helmet guitar violin drum puzzle vase carpet curtain drawer shelf towel""")
CATEGORY_MEMBERS = {
    "animal": ANIMALS, "food": FOODS, "color": COLORS, "object": OBJECTS, "city": CITIES,
    "vehicle": _split("car bus train truck tram boat ship ferry plane helicopter taxi van wagon canoe submarine"),
    "clothing": _split("shirt coat hat sock dress skirt belt sweater trousers cap vest sandal apron hood cloak"),
    "profession": _split("""doctor teacher farmer baker lawyer nurse pilot sailor carpenter painter engineer
        plumber tailor dentist butcher fisherman gardener soldier writer judge"""),
    "weather": _split("rain snow fog storm wind sunshine hail frost thunder drizzle cloud heat breeze blizzard"),
    "body": _split("hand foot arm leg knee elbow shoulder neck finger nose ear eye mouth back chest heart"),
    "furniture": _split("sofa desk bed wardrobe bench stool bookcase armchair cabinet cradle"),
    "family": _split("mother father sister brother uncle aunt cousin grandmother grandfather daughter son nephew niece"),
}
KEYS = _split("""
name version environment port host id title author year price quantity color size status type category level
owner email phone city country street zip age role team project language license path url token user
priority score rating date time start end duration width height weight depth count total limit timeout retries
enabled active public debug verbose mode format encoding locale timezone currency amount discount tax product
order customer invoice item sku brand model serial department manager salary location region zone cluster node
memory cpu disk replicas image tag branch commit build release service protocol method endpoint query body header
message subject sender recipient topic channel room seat gate flight destination origin departure arrival genre
artist album track label isbn publisher pages chapter theme font background logo domain database table column
schema index key value default minimum maximum threshold interval frequency temperature humidity pressure speed
""")
KEY_PARTS = _split("""max min default base user file page cache log api db app net auth admin client server data
item task job queue batch page text image audio source target input output main backup primary last first next total""")
KEY_ENDINGS = _split("size count name path type mode level limit time date id url key port host file rate code state")
ENVIRONMENTS = _split("development production staging testing local sandbox preview integration demo qa canary training")
APPLICATION_KINDS = [
    "web application", "mobile app", "desktop application", "web service", "microservice", "chat bot", "database",
    "game server", "website", "REST API", "command line tool", "background worker", "mail server", "data pipeline",
    "online shop", "blog", "message queue", "file server", "proxy", "dashboard", "library", "plugin", "scheduler",
    "payment gateway", "search engine", "monitoring agent", "backend", "frontend", "application", "service", "app",
    "program", "system", "package", "container", "project", "cluster", "job runner", "cache", "load balancer",
]
LICENSES = _split("MIT Apache-2.0 BSD-3-Clause GPL-3.0 MPL-2.0 ISC")
LANGUAGES = _split("Python Java C Rust Go Ruby Kotlin Swift TypeScript JavaScript PHP Scala Perl Haskell Lua")
LEVELS = _split("low medium high critical normal urgent minor major info warning error debug")
STATUSES = _split("active inactive pending done open closed running stopped failed ready draft archived paused new")
ROLES = _split("admin editor viewer guest owner member manager developer tester analyst operator moderator")
TECHNICAL_WORDS = _split("""
Task Master Data Cloud Flow Net Hub Link Stack Forge Bridge Lab Works Base Core Sync Track Trace Pulse Wave Spark
Swift Bright Blue Red Green Silver Golden Iron Stone River Ocean Star Moon Sun Sky Storm Fire Frost Shadow Light
Quick Smart Open Deep Fast True Pure Clear Safe Easy Rapid Turbo Mega Micro Nano Hyper Meta Ultra Inter Multi Auto
Shop Cart Pay Bank Book Note Mail Chat Talk Voice Call Meet Plan Board Desk Room Space Home House Garden Farm Food
Cook Fit Health Care Med Bio Gene Code Dev Script Byte Bit Pixel Vector Matrix Graph Node Edge Tree Leaf Root Seed
Hawk Eagle Fox Wolf Bear Lion Tiger Falcon Raven Owl Dragon Phoenix Turtle Dolphin Whale Panda Lynx Otter Badger
Rocket Orbit Comet Nova Nebula Galaxy Atlas Titan Apollo Hermes Zeus Athena Orion Vega Lyra Echo Delta Sigma Omega
Alpha Beta Gamma Prime Zen Kite Arrow Anchor Harbor Beacon Compass Lantern Mirror Prism Crystal Ember Willow Maple
Finder Keeper Maker Runner Walker Watcher Reader Writer Builder Planner Tracker Helper Manager Guard Scout Pilot
Weather Travel Music Photo Video News Sport Game Quiz Story Poem Letter Budget Ledger Invoice Ticket Order Stock
Api Web App Server Client Agent Engine Box Kit Pad Tab Dock Port Gate Way Path Point Zone Spot Nest Cave Mill Tower
""")
POSITIVE_ADJECTIVES = _split("""
good great excellent wonderful amazing fantastic superb brilliant lovely delightful outstanding perfect impressive
pleasant beautiful charming marvelous terrific splendid awesome reliable helpful friendly generous comfortable tasty
delicious fresh elegant smooth quick clean clear useful thoughtful kind polite warm cheerful bright exciting fun
enjoyable refreshing satisfying rewarding remarkable flawless stunning magnificent gorgeous thrilling inspiring
touching clever smart witty hilarious gripping sturdy durable accurate effective efficient affordable spotless cozy
welcoming attentive professional honest fair solid strong promising encouraging favorable happy glad grateful pleased
proud hopeful joyful merry calm peaceful gentle sweet fine nice super neat robust intuitive responsive top-notch
""")
NEGATIVE_ADJECTIVES = _split("""
bad terrible awful horrible dreadful poor disappointing disgusting unpleasant ugly boring dull tedious broken useless
faulty defective unreliable rude unfriendly lazy careless dirty filthy noisy cold stale bland tasteless greasy soggy
burnt overpriced expensive slow sluggish laggy confusing misleading annoying frustrating irritating infuriating sad
depressing gloomy miserable painful uncomfortable cramped flimsy fragile cheap weak shabby worthless pathetic mediocre
inferior inaccurate wrong unfair dishonest dangerous risky scary nasty cruel harsh hostile angry bitter upset worried
disastrous catastrophic shameful ridiculous stupid clumsy messy chaotic crowded smelly rotten moldy lousy buggy
unacceptable unbearable hopeless unhappy grim alarming weary wretched sour rough unusable incompetent
""")
POSITIVE_VERBS = _split("love enjoy adore like admire appreciate recommend treasure praise cherish")
NEGATIVE_VERBS = _split("hate dislike regret despise loathe resent avoid detest return dread")
REVIEW_THINGS = {
    "restaurant": _split("food service soup steak pizza dessert waiter menu atmosphere coffee wine table pasta chef breakfast"),
    "hotel": _split("room bed staff breakfast pool view bathroom location lobby shower reception balcony elevator"),
    "film": _split("plot acting story soundtrack ending cast script dialogue camera director scene humor pace"),
    "phone": _split("battery screen camera speaker design charger keyboard case display software sound"),
    "book": _split("story ending characters plot writing style cover chapter author beginning translation"),
    "app": _split("interface update login search menu layout sync export design support version"),
    "shop": _split("delivery packaging price quality refund support website order shipping checkout"),
    "travel": _split("flight train seat driver guide trip bus luggage airport crew ticket ferry"),
    "school": _split("teacher course lesson homework exam library classroom lecture textbook schedule"),
    "health": _split("doctor nurse clinic waiting_room treatment appointment dentist pharmacy therapy"),
    "home": _split("sofa lamp vacuum blender oven washing_machine carpet mattress kettle heater toaster"),
    "sport": _split("match team coach stadium player goal training gym race tournament referee"),
}
NEUTRAL_SENTENCES = """
The meeting starts at {n} in the main hall.
The package weighs {n} kilograms.
The office is on the {o} floor.
The {t} is located near the station.
The report was published on {w}.
I bought the {t} on {w}.
The store opens at {n} and closes in the evening.
There are {n} items in the box.
The {t} comes in {c} and {c2}.
We arrived on {w} and left the next day.
The company employs {n} people in {city}.
The {t} was moved to another building.
It is made of wood and metal.
The next {t} is planned for {w}.
The form has {n} pages.
The train to {city} leaves from platform {n}.
The board will meet on {w} to discuss the schedule.
The {t} is {n} centimeters wide.
They changed the {t} last {w}.
The company has its head office in {city}.
{name} works at the counter on {w}.
The {t} was ordered {n} days ago.
This is the {o} edition.
The manual describes how to install the {t}.
The agreement covers a period of {n} years.
The city has about {n} thousand inhabitants.
The {t} can be used with or without the cable.
The list was sent to {name} on {w}.
He takes the bus to {city} every {w}.
The {c} {t} stands next to the {c2} one.
The firm will supply {n} units to a customer in {city}.
The shares are traded in {city}.
Financial terms were not disclosed.
The contract was signed on {w}.
The company did not change its forecast.
""".strip().split("\n")
POSITIVE_PHRASES = """
I could not be happier
it exceeded all my expectations
I would come back any time
it works like a charm
it made my day
worth every penny
I have already told all my friends about it
five stars from me
exactly what I was looking for
everything went without a problem
they solved my issue within minutes
I was pleasantly surprised
we had a wonderful time
I smiled the whole way through
the best I have had in years
what a treat
it was a joy from start to finish
thank you so much for this
I am impressed
they really care about their customers
it arrived two days early
my children loved it
I can only recommend it
it saved me hours of work
not a single complaint
we felt very welcome
it keeps getting better
a real masterpiece
I will definitely buy again
it fits perfectly
""".strip().split("\n")
NEGATIVE_PHRASES = """
I want my money back
it broke after two days
never again
a complete waste of time
I would not wish this on anyone
nobody answered my calls
I was deeply disappointed
we waited for over an hour
it stopped working within a week
save your money
the worst I have ever seen
I regret buying it
they simply ignored us
it fell apart immediately
I left before the end
it gave me a headache
not worth the price
one star is too much
it crashed again and again
they lost my order
I almost fell asleep
nothing worked as promised
I am fed up with it
it arrived damaged
I will never buy from them again
we felt cheated
it keeps getting worse
what a mess
the promised refund never came
it ruined our evening
""".strip().split("\n")
NEWS_POSITIVE = """
{company} profit rose to {money} from {money2} in the {q} quarter
{company} raises its outlook after strong sales
Shares of {company} jumped {n} percent on record earnings
{company} wins a {money} order from {company2}
Net sales of {company} increased by {n} percent
{company} doubles its dividend after a record year
{company} returned to profit in the {q} quarter
Operating profit grew to {money} compared with {money2} a year earlier
{company} gains market share in {city}
Strong demand lifts revenue of {company} above expectations
{company} expands in {city} as orders surge
Analysts upgrade {company} after better results than expected
{company} and {company2} agree on a growth partnership worth {money}
The order book of {company} strengthened during the year
Earnings per share rose clearly at {company}
{company} beats forecasts and hires {n} engineers
""".strip().split("\n")
NEWS_NEGATIVE = """
{company} profit fell to {money2} from {money} in the {q} quarter
{company} cuts its outlook after weak sales
Shares of {company} dropped {n} percent after a profit warning
{company} loses a {money} order to {company2}
Net sales of {company} decreased by {n} percent
{company} cancels its dividend after a difficult year
{company} posted a loss of {money} in the {q} quarter
Operating profit shrank to {money2} compared with {money} a year earlier
{company} loses market share in {city}
Weak demand pushes revenue of {company} below expectations
{company} closes its plant in {city} and lays off {n} workers
Analysts downgrade {company} after worse results than expected
{company} faces a fine of {money} over faulty products
The order book of {company} declined during the year
Earnings per share fell sharply at {company}
{company} misses forecasts and warns of further losses
""".strip().split("\n")
NEWS_NEUTRAL = """
{company} will publish its {q} quarter report on {w}
{company} has its head office in {city}
{company} moves its annual meeting to {city}
{company} and {company2} signed an agreement on {w}
{company} employs about {n} people in {city}
The board of {company} appointed {name} as secretary
{company} supplies equipment to {company2}
The value of the contract was not disclosed
{company} operates {n} stores in {city}
{company} will hold a press conference on {w}
{company} keeps its forecast unchanged
{company} changes the name of its {city} unit to {company2}
{name} continues as chairman of {company}
The credit facility of {company} amounts to {money}
""".strip().split("\n")
TOPIC_SENTENCES = {
    "sports": """The home team scored {n} goals in the second half.|{name} won the race in {city}.|The coach praised the
goalkeeper after the match.|The final of the tournament is played on {w}.|{name} signed a contract with the club in {city}.|
The striker missed a penalty.|Fans filled the stadium in {city}.|She set a new record in the long jump.|The referee showed a red card.|
The champion lost in three sets.|Our team leads the league by {n} points.|The swimmer took the gold medal.""",
    "business": """Shares of {company} rose by {n} percent.|{company} opened a new factory in {city}.|The bank raised its interest rate.|
{company} plans to buy {company2}.|Profits fell in the last quarter.|The merger was approved by the board.|Investors expect higher prices.|
The startup raised {money} from investors.|Oil prices dropped on {w}.|{company} will cut {n} jobs.|Exports grew in spring.|The market closed higher.""",
    "technology": """The new phone has a faster chip.|{company} released version {v} of its software.|Hackers attacked a server in {city}.|
The update fixes {n} bugs.|Researchers built a robot that can walk.|The browser now blocks pop-ups.|{company} presents a smaller laptop.|
A bug deleted files on thousands of computers.|The satellite sends data every minute.|The database was moved to the cloud.|
The app uses the camera to read text.|Programmers met in {city}.""",
    "politics": """The minister resigned on {w}.|Parliament voted on the new law.|The president will visit {city}.|Voters go to the polls on {w}.|
The mayor of {city} promised lower taxes.|Both parties failed to agree.|The government plans a reform.|{name} was elected mayor of {city}.|
Protesters marched to the town hall.|The treaty was signed in {city}.|The senate rejected the budget.|The opposition asked for new elections.""",
    "weather": """Heavy rain is expected in {city}.|It will be sunny on {w}.|A storm hit the coast near {city}.|Temperatures will fall below zero.|
Snow closed the roads in the mountains.|Fog delayed flights in {city}.|The wind will be strong on {w}.|The heat lasted {n} days.|
Clouds will clear in the evening.|Thunder and hail are possible.|A mild week lies ahead.|The river rose after days of rain.""",
    "health": """Doctors advise more sleep.|A new vaccine was tested in {city}.|The hospital in {city} hired {n} nurses.|Walking lowers the blood pressure.|
The patient recovered after surgery.|Too much sugar harms the teeth.|The flu spreads in winter.|A study links stress to headaches.|
The clinic offers free checks on {w}.|Vitamins cannot replace fresh vegetables.|The dentist found two cavities.|She takes a pill every morning.""",
    "travel": """The hotel in {city} has a view of the sea.|Our flight to {city} was delayed.|Tourists love the old town of {city}.|
We booked a tour for {w}.|The ferry leaves at {n}.|Pack light for the trip to {city}.|The museum is closed on {w}.|Passengers must show a passport.|
The train crosses the mountains.|The beach is crowded in summer.|We spent {n} days in {city}.|The guide showed us the castle.""",
    "food": """Add two eggs and a cup of flour.|The restaurant in {city} serves fresh fish.|Bake the cake for {n} minutes.|The soup needs more salt.|
Peel the potatoes and boil them.|{name} cooks dinner on {w}.|The bread is still warm.|Mix the butter with sugar.|The chef won a prize for his dessert.|
Serve the salad with lemon.|The cheese comes from a farm near {city}.|Chop the onions and fry them.""",
    "music": """The band plays in {city} on {w}.|{name} released a new album.|The orchestra opened with a symphony.|She sings and plays the piano.|
The concert sold out in {n} minutes.|The song reached number one.|He tuned his guitar before the show.|The choir sang an old hymn.|
Drums and bass were too loud.|The singer canceled her tour.|The violin solo was moving.|A jazz trio played until midnight.""",
    "science": """Astronomers found a planet {n} light years away.|The experiment was repeated {n} times.|A new species of frog was found near {city}.|
The telescope took pictures of a distant galaxy.|Chemists made a new material.|The theory explains why stars shine.|Fossils show that the animal could swim.|
The samples were studied in a lab in {city}.|Physicists measured the mass of the particle.|Cells divide faster when it is warm.|
Water boils at a lower temperature in the mountains.|The probe landed on the moon.""",
}
TICKETS = {
    "billing": """I was charged twice for order {id}.|My invoice {id} shows the wrong amount.|When will I get my refund of {money}?|My card was declined.|
Please send me a receipt for {w}.|Why did my monthly fee go up?|I want to change my payment method.|The discount code was not applied.|
You billed me after I canceled.|I need a copy of invoice {id}.""",
    "technical": """The app crashes when I open the settings.|I get error {id} when I upload a file.|The page does not load.|My screen stays black after the update.|
The export button does nothing.|Sync stopped working on {w}.|The search returns no results.|Version {v} is very slow on my laptop.|
The printer is not found.|Notifications no longer arrive.""",
    "account": """I forgot my password.|Please change my email to {email}.|I cannot log in to my account.|How do I delete my profile?|My account was locked.|
I want to add {name} as a user.|Please update my address.|The verification code never arrives.|I need to change my user name.|Someone else logged in as me.""",
    "shipping": """My parcel has not arrived yet.|Where is order {id}?|The package was sent to the wrong address.|The tracking number does not work.|
Can you deliver on {w}?|The box was damaged when it came.|I received the wrong item.|How long does delivery to {city} take?|
The courier left my parcel in the rain.|Half of my order is missing.""",
    "sales": """Do you offer discounts for teams of {n}?|I would like a quote for {n} licenses.|Which plan is right for a small company?|
Can I get a demo on {w}?|Is there a free trial?|What does the premium plan cost?|We are interested in {n} units.|Do you sell to customers in {city}?|
Please call me about your offers.|Can I upgrade my plan later?""",
    "feedback": """I love the new design.|It would be great to have a dark mode.|Please add support for {lang}.|Your team did a wonderful job.|
The old menu was better.|I suggest larger buttons.|You should offer a weekly summary.|The new colors are hard to read.|
Thanks for the quick help.|A calendar view would be nice.""",
}
URGENT_SENTENCES = """The server is down and customers cannot pay!|Please call me back immediately.|We need this fixed within the hour.|
There is smoke coming from the machine.|Production has stopped completely.|All orders since {n} o'clock are lost, act now!|Our site has been hacked.|
The deadline is today and nothing works.|Someone is hurt, send help at once.|The data is being deleted right now.|This is an emergency.|
The payment must go out before noon today.|Nobody can log in, this blocks the whole company.|Water is running into the server room.""".replace("\n", "").split("|")
NOT_URGENT_SENTENCES = """When you have time, please update my address.|There is a small typo on the help page.|No hurry, but the logo looks blurred.|
Could you send me the brochure some day?|I have a general question about your plans.|It would be nice to have a dark mode.|Please note our new phone number.|
I wonder whether you will attend the fair in {city}.|Sometime next month is fine.|A minor thing: the footer shows the wrong year.|Just a suggestion for a future release.|
Take your time with the answer.|The color of the button could be nicer.|We can talk about it at the next meeting.""".replace("\n", "").split("|")
SPAM_SENTENCES = """Congratulations, you won {money}! Click here now.|Cheap watches, only today, {n} percent off!|You have been selected for a free prize.|
Earn {money} a week from home.|Hot offer: buy one, get {n} free!|Your account will be closed, confirm your password at {url}.|Lose weight in {n} days with this trick.|
Claim your reward before midnight!|Get rich with this simple secret.|Act now, limited offer!!!|Send us your bank details to receive {money}.|No risk, double your money.""".replace("\n", "").split("|")
HAM_SENTENCES = """Can we move our meeting to {w}?|Here are the notes from yesterday.|{name} asked for the report.|Lunch at {n} today?|
I will be in {city} until {w}.|Please review the attached draft.|The kids are back from school.|Thanks for your help with the garden.|
Your appointment is on {w} at {n}.|I left the keys with {name}.|Could you pick up some bread?|The slides for {w} are ready.""".replace("\n", "").split("|")
FORMAL_INFORMAL = [
    ("I would be grateful for a prompt reply.", "get back to me asap ok?"),
    ("We regret to inform you of a delay.", "sorry guys, gonna be late"),
    ("Please find the report attached.", "here's the thing you wanted"),
    ("I am writing to request further information.", "hey, got any more info?"),
    ("Kindly confirm your attendance.", "you coming or what?"),
    ("It was a pleasure to meet you.", "was cool hanging out"),
    ("We thank you for your patience.", "thanks for waiting, you rock"),
    ("I look forward to hearing from you.", "hit me up later"),
    ("Would you be so kind as to open the window?", "open the window, will ya"),
    ("The committee has decided to postpone the event.", "party's off till next week lol"),
    ("Should you have any questions, do not hesitate to contact us.", "any questions, just shout"),
    ("I must respectfully disagree.", "nah, no way"),
]
FOREIGN = {
    "German": (
        _split("Der_Hund Die_Katze Das_Kind Mein_Vater Meine_Schwester Der_Lehrer Die_Frau Unser_Nachbar Das_Pferd Der_Zug"),
        _split("schläft wohnt spielt wartet arbeitet sitzt ist_heute lernt kommt_morgen steht"),
        _split("im_Garten in_der_Stadt auf_dem_Berg nicht_weit_von_hier mit_dem_Ball am_Fenster vor_der_Schule und_lacht im_Haus ohne_mich"),
    ),
    "French": (
        _split("Le_chien La_maison Mon_père Ma_soeur Le_garçon La_vieille_dame Notre_voisin Le_train Mon_ami La_petite_fille"),
        _split("est dort mange_toujours joue travaille attend habite_maintenant chante reste arrive"),
        _split("dans_le_jardin à_la_gare avec_nous près_de_la_mer dans_la_rue sans_moi pour_la_fête sous_la_table et_rit chez_moi"),
    ),
    "Spanish": (
        _split("El_perro La_casa Mi_padre Mi_hermana El_niño La_señora Nuestro_vecino El_tren Mi_amigo La_niña"),
        _split("está duerme come_siempre juega trabaja espera vive_ahora canta llega descansa"),
        _split("en_el_jardín en_la_calle con_nosotros cerca_del_mar en_la_escuela sin_mí para_la_fiesta debajo_de_la_mesa y_ríe en_casa"),
    ),
    "Italian": (
        _split("Il_cane La_casa Mio_padre Mia_sorella Il_ragazzo La_signora Il_nostro_vicino Il_treno Il_mio_amico La_bambina"),
        _split("è dorme mangia_sempre gioca lavora aspetta abita_adesso canta arriva resta"),
        _split("nel_giardino nella_strada con_noi vicino_al_mare a_scuola senza_di_me per_la_festa sotto_il_tavolo e_ride a_casa"),
    ),
    "Dutch": (
        _split("De_hond Het_huis Mijn_vader Mijn_zus De_jongen De_vrouw Onze_buurman De_trein Mijn_vriend Het_meisje"),
        _split("slaapt woont_nu speelt werkt wacht zit is komt_morgen eet_altijd zingt"),
        _split("in_de_tuin op_straat met_ons dicht_bij_de_zee op_school zonder_mij voor_het_feest onder_de_tafel en_lacht thuis"),
    ),
    "English": (
        _split("The_dog The_house My_father My_sister The_boy The_old_lady Our_neighbour The_train My_friend The_little_girl"),
        _split("is sleeps always_eats plays works waits lives_now sings arrives stays"),
        _split("in_the_garden on_the_street with_us near_the_sea at_school without_me for_the_party under_the_table and_laughs at_home"),
    ),
}
ANTONYMS = [
    tuple(pair.split("/")) for pair in _split("""
hot/cold big/small tall/short fast/slow happy/sad rich/poor light/dark early/late open/closed full/empty hard/soft
high/low near/far new/old young/old strong/weak thick/thin wet/dry clean/dirty loud/quiet easy/difficult good/bad
right/wrong true/false first/last up/down left/right inside/outside day/night love/hate friend/enemy begin/end buy/sell
give/take push/pull laugh/cry win/lose rise/fall brave/cowardly wide/narrow deep/shallow sharp/blunt sweet/sour
""")
]
SYNONYMS = [
    tuple(pair.split("/")) for pair in _split("""
begin/start big/large small/little quick/fast happy/glad sad/unhappy smart/clever angry/furious pretty/beautiful
shut/close end/finish help/assist buy/purchase choose/select answer/reply find/discover silent/quiet scared/afraid
rich/wealthy hard/difficult sick/ill road/street stone/rock boat/ship gift/present error/mistake job/task
fix/repair show/display ask/inquire keep/retain whole/entire strange/odd calm/peaceful funny/amusing
""")
]
PAST_TENSES = [
    tuple(pair.split("/")) for pair in _split("""
go/went see/saw come/came take/took give/gave find/found know/knew think/thought say/said tell/told make/made
run/ran write/wrote read/read eat/ate drink/drank sing/sang swim/swam begin/began break/broke speak/spoke choose/chose
drive/drove ride/rode rise/rose fall/fell feel/felt keep/kept leave/left lose/lost meet/met pay/paid sell/sold send/sent
sleep/slept stand/stood teach/taught win/won build/built buy/bought catch/caught walk/walked play/played open/opened
help/helped call/called jump/jumped paint/painted watch/watched clean/cleaned
""")
]
PLURALS = [
    tuple(pair.split("/")) for pair in _split("""
cat/cats dog/dogs child/children man/men woman/women foot/feet tooth/teeth mouse/mice goose/geese box/boxes bus/buses
city/cities baby/babies story/stories leaf/leaves knife/knives wolf/wolves book/books house/houses tree/trees
watch/watches dish/dishes hero/heroes potato/potatoes sheep/sheep fish/fish lady/ladies party/parties wife/wives
""")
]
WEEKDAYS = _split("Monday Tuesday Wednesday Thursday Friday Saturday Sunday")
MONTHS = _split("January February March April May June July August September October November December")
ORDINALS = _split("first second third fourth fifth sixth")
COMPANY_ENDINGS = _split("Ltd Inc Corp Group Plc GmbH AG Oyj Holdings Systems Labs Industries Bank Motors Foods Energy Media Partners")
