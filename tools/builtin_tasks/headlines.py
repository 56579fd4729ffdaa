"""Headlines for the sentiment task, written by hand: those of the training file and those held out.

The two share no sentence, no names, and few of the words that carry the feeling. {p} is a place, {c} a company, {n} a
number and {m} a person; each split has its own.
"""

TRAIN = {
    "positive": """
{c} wins top prize for its quiet electric ferry
Volunteers in {p} restore a beloved old lighthouse
{m} overjoyed as lost painting comes home after {n} years
Record harvest delights farmers around {p}
{c} gives every worker a bonus of {n} dollars
Children cheer as new playground opens in {p}
Rescued seals return to the sea in good health
{m} praised for calm and skill in daring rescue
Tourism is booming in {p} again
Cleaner air in {p} than at any time in {n} years
{c} thrives and hires {n} apprentices
Fans adore the new musical in {p}
Breakthrough gives hope to {n} patients with rare illness
{m} wins hearts with free music lessons
Town of {p} celebrates its best season ever
Library in {p} a hit with young readers
Donations pour in and save the village shop in {p}
{c} shares soar to an all-time high
""",
    "negative": """
{c} collapses and leaves {n} people without work
Fire destroys historic mill near {p}
{m} under attack for wasting public money
Flood victims in {p} still wait for help
{c} recalls {n} heaters after dangerous faults
Anger in {p} over broken promises on housing
Bridge failure traps {n} drivers overnight
{m} in tears after bitter defeat
Disease wipes out olive groves around {p}
Crime on the rise in {p}, figures show
{c} fined for poisoning a river
Shoppers furious at endless queues in {p}
Museum in {p} robbed for the second time
Patients suffer as clinic in {p} loses staff
{m} found guilty of cheating pensioners
Drought ruins crops on {n} farms
{c} warns of painful cuts
Concert in {p} a disaster, say angry fans
""",
    "neutral": """
{c} to hold its yearly meeting in {p}
Council of {p} to discuss parking rules on Tuesday
{m} appointed to the board of {c}
Bus line {n} to run every half hour
Census counts {n} residents in {p}
{c} moves its archive to {p}
New street in {p} named after {m}
Survey of the harbour in {p} begins on Monday
Office of {c} will close at noon on Friday
Road works between {p} and the airport start in May
{m} to speak at conference in {p}
Voting in {p} takes place in {n} halls
{c} changes the colour of its logo
Film about {m} to be shot in {p}
Market in {p} moves to the old square
Report on fishing quotas due next week
{c} publishes a list of its {n} suppliers
Trains to {p} to leave from platform {n}
""",
}

HELD_OUT = {
    "positive": """
{c} triumphs with a cheap and clever water filter
Grateful {p} thanks firefighters with a parade
Happy ending as missing hikers are found safe near {p}
{m} beats cancer and runs a marathon
Orchard project brings neighbours in {p} together
{c} profits climb for the {n}th quarter in a row
Joy in {p} as school team takes the gold medal
Rare eagles breed successfully in {p}
Students of {m} shine at science contest
Unemployment in {p} falls to a record low
Critics love the bold new theatre in {p}
{c} donates {n} laptops to schools
Stunning comeback puts {p} in the final
Farm shop in {p} named the finest in the country
Vaccine success: not one case in {p} this winter
{m} honoured for a lifetime of kindness
Visitors enchanted by lantern festival in {p}
Good news for commuters as fares in {p} drop
{c} bakery a favourite with guests from {n} countries
Reef recovers faster than expected, divers say
Generous stranger pays the rent of {n} families
Peaceful vote a proud moment for {p}
{m} smashes world record in style
Strong sales let {c} repay its debt early
Healthy twins born on a train to {p}
Award for nurses in {p} who went the extra mile
Residents welcome lively new market hall in {p}
Investors celebrate as {c} doubles in value
Brave girl saves her brother from icy lake
{c} phone earns glowing reviews
""",
    "negative": """
{c} goes bankrupt with debts of {n} million
Storm kills {n} and tears roofs off homes in {p}
Scandal forces {m} to resign
Hospital in {p} so overcrowded that the sick sleep in corridors
Toxic smoke chokes {p}
{c} accused of spying on its customers
Hopes fade for miners trapped near {p}
Thieves steal {n} bicycles from charity
Worst traffic chaos in {p} for decades
{m} injured in horror crash
Hunger spreads after failed rains in {p}
{c} loses licence over filthy kitchens
Riots leave the centre of {p} in ruins
Sinking ferry sparks panic off {p}
Hackers cripple {c} and demand a ransom
Terrible season ends with relegation for {p}
{m} jailed for brutal assault
Pollution kills thousands of fish near {p}
Lawsuit threatens to sink {c}
Families mourn as search near {p} is called off
Cruel prank frightens pensioners in {p}
Prices jump {n} percent and hurt the poor
Boring, badly sung and far too long: opera flops in {p}
Strike brings misery to travellers in {p}
{c} battery explodes and burns a child
Earthquake shakes {p}, dozens missing
Bees dying at an alarming rate, experts fear
Shame for {p} as stadium stands empty and unpaid
Layoffs loom at {c} after dismal year
Deadly virus returns to {p}
""",
    "neutral": """
{c} opens talks with {c2} about a shared warehouse
Ferry timetable for {p} changes on Sunday
{m} to chair the planning committee of {p}
Clocks go back one hour this weekend
Parliament to debate the budget on Wednesday
{c} ships its goods through {p}
Height of the tower in {p} measured at {n} metres
Book by {m} appears in a second edition
Exhibition on maps runs in {p} until spring
Number of registered boats in {p} stands at {n}
{c} renames its office in {p}
Experts meet in {p} to compare soil samples
Bakers in {p} may open at six from now on
Lottery numbers drawn on Saturday: see page {n}
Town hall in {p} to be painted in autumn
{m} succeeds {m2} as head of the institute
Satellite passes over {p} at {n} kilometres
{c} files its tax report
Election date for {p} set for October
A guide to the voting system of {p}
Postcodes in {p} to have {n} digits
Winter schedule: swimming pool in {p} opens at nine
Which documents you need for a passport
{c} lists {n} items in its catalogue
University of {p} offers courses in geology
Interview: {m} on the history of buttons
Border post at {p} staffed by {n} officers
{c} and {c2} use the same carrier
Weather station in {p} reports a light wind from the west
Tuesday's quiz: name the rivers of {p}
""",
}

SLOTS = {
    "train": {
        "p": "Ashgrove Pellmouth Torvik Dunmarrow Estrella_Bay Karlsund Bramley Oxtonbury Marisol Wendham Lunetta Foxhollow".split(),
        "c": "Brightwell_Dairy Halden_Motors Sable_&_Finch Norvane Cobalt_Foods Tidewater_Rail Ostrava_Glass Merrin_Group Pinecrest Zelco".split(),
        "m": "Agnes_Corley Tobias_Renn Lucinda_Farr Matteo_Brandt Philippa_Stroud Yannick_Moser Della_Whitlock Ruben_Castell".split(),
        "n": "12 40 85 130 260 400 750 1200".split(),
    },
    "held_out": {
        "p": "Quillhaven Sandrigo Upper_Thorley Mistvale Jorvanger Calderby Port_Ellary Wyncombe Tarnfield Bellacosta Greywick Rosmere".split(),
        "c": "Fennick_Energy Larkspur_Books Ottermill Vandermeer_Steel Quonset_Air Hearthstone_Bank Ixora Dapple_Toys Stratton_Marine Wickfield".split(),
        "m": "Ingrid_Pascoe Desmond_Okoro Tilda_Vance Horatio_Quayle Simone_Albrecht Kwame_Lister Beatriz_Nolan Gustav_Tremaine".split(),
        "n": "17 29 33 61 94 380 515 2700".split(),
    },
}
