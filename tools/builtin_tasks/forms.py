"""The three tasks that copy: JSON from a request, a field out of a message, a note rewritten in a given form.

Requests, messages and notes of the training file and of the held-out file have words of their own, and every value (a
name, a number, a product, a place) belongs to one split alone in each task, but for one verb. Names have several pieces.
"""

SLOTS = {
    "train": {
        "first": """Oriana Leopold Saskia Benedict Mirela Cormac Jolanta Thaddeus Ophelia Ignacio Rowena Casimir Delphine Augustin
            Henrike Lorcan Perpetua Silvan Theodora Wenzel Isolde Matthias Rosalind Evander""",
        "last": """Hathersage Brandvold Castellane Drummond Ettinger Falconieri Grimshaw Holloway Iversen Jankowski Kettleborough Lindgren
            Montague Northcott Oberlin Prendergast Rasmussen Sotheby Threlkeld Umarov Wetherby Zielinski""",
        "place": "Blue_Heron The_Copper_Pot Villa_Amara Stonebridge Casa_Verde Three_Lanterns Maple_Court The_Old_Dairy Ravello Bistro_Colette",
        "product": """SteamPress_400 Aquaflow Harvest_King LumaDesk Tornado_V2 PureBrew Nightingale_Radio Ridgeline_40 Silverbeam Packmule
            EcoVent_Plus Marathon_S Kitchen_Star Solaris_12 Windjammer Cloudrest TerraDrill Vivace_Piano Polarstern BreezeBox""",
        "shop": "Harlow_&_Sons Nordic_Home Elmtree_Store Cityware Baxter_Brothers Green_Barn Homelight Kessel_Outlet",
        "city": "Antwerp Bristol Cordoba Dresden Eindhoven Florence Ghent Heidelberg Innsbruck Jena Kassel Leeds",
        "day": "Monday Tuesday Wednesday Thursday",
        "time": "08:15 09:30 10:45 12:00 13:20 17:40 18:30 19:05 20:10 21:00",
        "seats": "2 3 4 5 6 8 10 12 16 20",
        "month": "January March April June August October",
        "date": "2 4 5 7 11 13 16 18 22 24",
        "price": "14.90 29.50 48.00 75.25 99.99 120.00 310.40 640.00",
        "topic": """the_garden_fence the_broken_lift the_new_curtains the_spring_concert the_water_meter the_missing_keys the_school_trip
            the_printer_paper the_leaking_roof the_wedding_cake the_bus_timetable the_staff_canteen""",
        "verb": "call ask remind visit thank inform",
    },
    "held_out": {
        "first": """Ottoline Bartholomew Zuzanna Fergus Clementine Vladislav Marguerite Osvaldo Tamsin Quentin Annelise Barnabas Priscilla
            Ruairi Eglantine Domenico Hyacinth Ansgar Philomena Torquil Xanthe Leocadia Gideon Wilhelmina""",
        "last": """Abernathy Bjornstad Cholmondeley Dalrymple Espinosa Fairweather Gustafsson Heatherington Ivashchenko Jorgensen
            Kirkpatrick Lautrec Mukherjee Nightwood Ormsby Pfeiffer Quisenberry Rutherglen Szymanski Tolliver Vandenberg Yarborough""",
        "place": "Golden_Pheasant The_Salty_Dog Trattoria_Bellini Windmill_House El_Mirador Two_Sisters Cedar_Grove The_Brass_Lion Kyoto_Garden Chez_Margot",
        "product": """MixMaster_900 Cobrashine Ploughman_XL DeskPilot Hurricane_8 Mochaccino_Duo Woodpecker_Clock Summit_75 Goldleaf Camelback
            AirQuill Sprinter_GT Chef's_Friend Meridian_3 Sloop Featherdown HydroClaw Allegro_Cello Sirius QuietCube""",
        "shop": "Pemberton_&_Daughter Southern_Living Oakfield_Mart Bargainhouse Whitaker_Sisters Red_Silo Brightroom Dorsten_Depot",
        "city": "Rotterdam Salzburg Turin Utrecht Verona Wroclaw York Zaragoza Odense Pamplona Rennes Siena",
        "day": "Friday Saturday Sunday",
        "time": "07:55 08:40 11:25 12:50 14:35 15:10 16:05 18:55 19:45 22:30",
        "seats": "7 9 11 13 14 15 17 18 25 30",
        "month": "February May July September November December",
        "date": "1 3 6 8 9 14 17 19 27 30",
        "price": "17.35 33.80 52.60 68.15 87.70 156.30 273.55 918.20",
        "topic": """the_cracked_window the_village_choir the_rental_contract the_lost_umbrella the_fire_drill the_winter_tyres the_cheese_order
            the_parking_permit the_flooded_cellar the_birthday_lunch the_ladder_inspection the_guest_towels""",
        "verb": "phone warn consult notify email visit",
    },
}

BOOKING_REQUESTS = {
    "train": """
Book a table for {seats} at {place} on {day} at {time}, the name is {first} {last}.
Please reserve {seats} seats at {place} for {first} {last}, {day} {time}.
{first} {last} would like to eat at {place} on {day}: {seats} people, {time}.
I need a table at {place}. {seats} persons, {day} at {time}. Name: {first} {last}
My name is {first} {last} and we are {seats}. Is {place} free on {day} at {time}?
For {day} at {time} a table for {seats} in the name of {first} {last} at {place}, please.
Can you get us into {place} on {day}? We come at {time}, {seats} of us. {first} {last}
{place}, {day}, {time}, {seats} guests. It goes under {first} {last}.
""",
    "held_out": """
Put {first} {last} down for {seats} at {place}, {day} at {time}.
Hello, {first} {last} here. Could {place} take {seats} of us on {day} at {time}?
We want to celebrate at {place} this {day}. There will be {seats} of us at {time}. Regards, {first} {last}
Party of {seats} for {first} {last}: {place}, {day}, {time}
Would {place} have room for {seats} on {day} from {time}? The booking is for {first} {last}.
At {time} on {day} {first} {last} is coming to {place} with a group of {seats}.
Dinner at {place} for {first} {last}. {day}, {time}, {seats} chairs.
Reserve {place} on {day} at {time} for {seats} people, name of {first} {last}.
""",
}

PRODUCT_MESSAGES = {
    "train": """
I bought the {product} from {shop} in {month} and the motor is already dead.
Does {shop} still sell the {product}? {first} {last} from {city} told me so.
The {product} that I ordered on {date} {month} has the wrong plug.
Could you tell me how to clean the {product}? I paid {price} for it.
My neighbour {first} is very happy with her {product}, is there one for left-handers?
{first} {last}, {city}: the manual of my {product} is missing.
Since {day} the display of the {product} shows {price}, what does it mean?
At {shop} in {city} they say that the {product} is sold out.
What does a new filter for the {product} cost?
We use {seats} of your {product} in our school in {city}.
Is {price} the right price for the {product}?
I would like to return the {product}. Yours, {first} {last}
""",
    "held_out": """
The handle of my {product} came off after {seats} days.
{shop} gave me a {product} in place of the one I chose.
Good day, {first} {last} speaking, I have a question about the {product}.
Where in {city} can I have the {product} repaired?
On {date} {month} I got the {product} as a present, but a screw is loose.
How loud is the {product}? {shop} could not tell me.
My sister in {city} has lost the charger of her {product}.
For {price} I had expected more of the {product}.
Every {day} the {product} turns itself on.
Please send the guarantee card of the {product} to {first} {last} in {city}.
Compared with its forerunner the {product} is rather heavy.
Do you have spare bags for the {product}? {shop} wants {price}.
""",
}

NOTES = {
    "train": """
{first} should {verb} {last} about {topic} by {day}.
By {day} {first} has to {verb} {last} about {topic}.
{first}, please {verb} {last} about {topic}, {day} at the latest.
We agreed that {first} will {verb} {last} about {topic} before {day}.
Somebody must {verb} {last} about {topic}; {first} takes it and is done by {day}.
Until {day}: {verb} {last} about {topic} ({first}).
""",
    "held_out": """
It is up to {first} to {verb} {last} about {topic} no later than {day}.
{first} promised to {verb} {last} about {topic} by {day}.
Could {first} {verb} {last} about {topic}? It must be finished by {day}.
Note for {first}: {verb} {last} about {topic}. Deadline {day}.
The boss wants {first} to {verb} {last} about {topic} before {day} comes.
{day} is the limit for {first} to {verb} {last} about {topic}.
""",
}
