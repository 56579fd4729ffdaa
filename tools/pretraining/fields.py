"""Words by what they have to do with, and words of like meaning. Written by hand."""

from .words import _split

FIELDS = {
    "money": """money pay paid payment price cost coin bank purse rent debt loan wage wages salary bill invoice receipt fee tax budget cash credit card account sum cheap dear expensive
        owe owed lend borrow spend earn save fund savings pound pounds shilling shillings dollar dollars cent cents refund discount charge deposit interest balance profit loss""",
    "transport": """ship train carriage boat horse road railway station wheel wheels cart coach driver harbour sail sailed voyage journey travel truck lorry van bus tram ferry taxi
        ticket passenger passengers luggage cargo freight parcel package delivery courier warehouse port dock route traffic highway bridge tunnel cab""",
    "computing": """computer program software app file folder screen keyboard mouse server network password login user account email browser website page link button menu click
        upload download update install crash bug error code data database backup sync cloud printer laptop tablet phone window cursor icon virus""",
    "health": """doctor nurse hospital patient medicine pill fever cough pain wound illness disease cure heal surgeon operation clinic dentist tooth vaccine blood heart lung
        bone ache headache sick ill pale bandage ambulance pharmacy therapy recover poison rash""",
    "food and cooking": """bread butter cheese meat soup stew roast boil bake fry kitchen cook pot pan oven plate spoon fork knife dinner supper breakfast lunch tea coffee milk
        sugar salt pepper flour cake pie apple potato potatoes onion egg eggs bacon ham honey feast hungry taste""",
    "weather": "rain snow wind storm cloud clouds sun sunshine thunder lightning fog mist frost ice hail cold warm hot heat breeze gale shower sky drizzle blizzard damp chilly freezing temperature",
    "sea": "sea ship sail sailor sailors captain mast deck wave waves shore coast island tide anchor oar rope storm fish harbour beach cliff pirate pirates crew vessel boat gull bay reef surf",
    "war": "war army soldier soldiers battle sword gun guns cannon enemy fort general captain regiment march shot bullet wound wounded victory defeat siege troops officer spear shield attack retreat trench bomb weapon",
    "law and crime": """judge court law lawyer prison jail crime criminal thief murder murderer police policeman detective trial guilty innocent witness sentence steal stolen robber
        arrest evidence verdict jury fraud crimes handcuffs""",
    "school": "school teacher master pupil pupils lesson lessons book books slate desk class classroom learn study read write spell spelling exam student college university professor grammar homework scholar lecture",
    "family": "mother father sister brother uncle aunt cousin son daughter child children baby wife husband parents grandmother grandfather nephew niece wedding marry married widow orphan twins cradle",
    "religion": "church god priest prayer pray prayed bible heaven angel angels soul sin bishop monk nun altar chapel holy sermon bless blessed temple saint faith hymn cathedral",
    "farming": "farm farmer field fields cow cows sheep pig pigs hen hens barn hay wheat corn plough harvest seed seeds soil crop crops milk stable cattle meadow orchard shepherd goat fence reap sow grain",
    "nature": "tree trees forest wood leaf leaves flower flowers grass river brook hill hills mountain mountains valley moss bird birds nest branch bush pond lake meadow root rock stone blossom fern oak pine",
    "animals": "dog cat horse wolf fox bear lion tiger elephant monkey rabbit mouse rat snake bird eagle owl frog deer squirrel whale paw tail fur claw claws den wild beast beasts bark growl",
    "clothing": "coat dress gown hat bonnet shoe shoes boot boots glove gloves cloak shirt skirt collar sleeve button silk velvet lace ribbon cap apron stocking stockings pocket wear wore dressed shawl scarf jacket belt",
    "music": "music song songs sing sang piano violin flute drum drums fiddle band orchestra concert tune melody singer choir dance dancing note notes opera guitar trumpet harp organ rhythm",
    "sport": "game match team player players goal ball race runner coach stadium score win winner champion cup medal tennis football cricket swim athlete referee training league final tournament",
    "politics": "king queen minister parliament government vote voters election president mayor law council party senate treaty speech reform power throne crown prince republic citizen citizens ambassador",
    "business": "company shop merchant trade sell buy customer customers market factory goods store firm profit office manager clerk contract order orders stock shares investor supplier sales product products brand",
    "house": "house room door window wall floor roof stairs kitchen chair table bed lamp curtain curtains carpet fireplace chimney cellar attic hall parlour sofa cupboard shelf mirror candle key gate porch",
    "body": "head hand hands foot feet arm arms leg legs eye eyes ear ears nose mouth lip lips finger fingers shoulder shoulders knee knees hair cheek cheeks throat neck chest heart skin beard chin",
    "death": "death dead die died dying grave coffin funeral corpse bury buried tomb mourning ghost churchyard murder killed widow skeleton ashes deathbed skull",
    "love": "love loved lover kiss kissed heart marry marriage bride bridegroom darling dear sweetheart passion tender wedding embrace beloved courtship affection adore jealous engaged",
    "time": "hour hours minute minutes day days week month year years morning evening night noon midnight clock o'clock today tomorrow yesterday spring summer autumn winter moment century early late",
    "science": "experiment laboratory telescope planet star stars atom chemical chemist theory species fossil physics gas microscope scientist professor measure gravity electricity energy specimen moon astronomer discovery",
    "travel": "travel journey hotel inn tourist guide map trip tour luggage passport ticket train abroad foreign country visit sightseeing museum castle beach holiday suitcase camp tent",
    "art": "paint painter painting picture brush colour canvas artist portrait sculptor statue gallery draw drawing sketch exhibition museum marble frame masterpiece poet",
    "writing": "letter letters pen ink paper write wrote written author poem poet novel book page story newspaper print printed editor diary chapter sentence word words envelope signature",
    "fear": "fear afraid terror horror fright frightened dread trembled tremble shudder scream pale panic terrified ghost scared alarm nightmare shriek",
    "anger": "anger angry rage fury furious wrath scold quarrel shouted curse cursed insult hate hatred offended scowl indignant temper threatened",
    "joy": "joy happy happiness glad laugh laughed laughter smile smiled delight merry cheerful cheer pleased gay delighted fun glee jolly rejoice",
    "sadness": "sad sorrow grief tears weep wept cry cried unhappy miserable lonely mourn sigh sighed melancholy gloom despair misery sobbed wretched",
    "light and dark": "light lamp candle sun bright shine shining glow flame dark darkness shadow shadows night dim gloom moonlight gleam torch lantern black ray",
    "sound": "sound noise loud voice whisper whispered shout shouted cry bell bells ring knock silence quiet echo roar bang murmur hush creak rattle clatter",
}
FIELDS = {name: sorted(set(_split(text))) for name, text in FIELDS.items()}

# Each line is a group of words of like meaning.
ALIKE = [group.split() for group in """
begin start commence open launch
end finish stop close conclude quit terminate
cancel annul revoke withdraw call-off
buy purchase acquire order
sell vend trade offer
send ship dispatch post mail forward
parcel package box shipment consignment
arrive come reach land
bill invoice statement account
refund repayment reimbursement compensation
money cash funds coins
price cost charge fee rate
cheap inexpensive affordable low-priced
expensive costly dear pricey
password passcode pin key
login sign-in access entry
error bug fault defect mistake flaw glitch
crash freeze hang fail break
broken damaged faulty defective cracked
repair fix mend restore
suggestion idea proposal wish
feature function option ability
improve enhance better upgrade
add include append attach
delete remove erase wipe
change alter modify adjust
big large huge great enormous giant
small little tiny minute
quick fast rapid swift speedy
slow sluggish lazy gradual
good fine excellent great superb
bad poor awful terrible dreadful
happy glad joyful cheerful merry pleased
sad unhappy sorrowful gloomy miserable
angry furious cross enraged mad
afraid scared frightened terrified fearful
brave bold courageous fearless heroic
clever smart bright intelligent wise
stupid foolish silly dumb
kind gentle friendly nice warm
cruel brutal harsh savage vicious
rich wealthy prosperous affluent
poor needy penniless destitute
beautiful pretty lovely handsome gorgeous
ugly hideous unsightly
win triumph prevail succeed
lose fail forfeit
victory triumph success win
defeat loss failure collapse
rise climb soar increase grow surge
fall drop sink decline decrease plunge slump
help aid assist support
harm hurt injure damage wound
thief robber burglar
illness disease sickness ailment
doctor physician surgeon
hungry starving famished
tired weary exhausted sleepy
strange odd peculiar weird unusual
famous well-known renowned celebrated
empty vacant bare hollow
full filled packed crowded
quiet silent still calm peaceful
loud noisy deafening
clean spotless pure tidy
dirty filthy grubby soiled
wet damp moist soaked
dry arid parched
cold chilly icy freezing
hot warm burning scorching
old ancient aged elderly
new fresh recent modern
road street lane path way
house home dwelling cottage
ship boat vessel
child kid boy girl
job work task duty
boss chief head manager
worker employee labourer
shop store market
law rule act
war conflict battle fight
peace truce calm
speak talk say utter
shout yell cry scream
look see watch gaze stare
walk stroll march wander
run race sprint dash
jump leap hop spring
throw hurl toss fling
take grab seize snatch
give hand present donate
hide conceal cover mask
show display exhibit reveal
think ponder consider reflect
know understand grasp
ask inquire question
answer reply respond
build construct erect make
destroy ruin wreck demolish
cut slice chop carve
join unite connect link
split divide separate part
hate detest loathe despise
love adore cherish
late overdue delayed tardy
early premature
missing lost absent
wrong incorrect false mistaken
right correct true accurate
important vital crucial key
easy simple effortless
hard difficult tough tricky
danger peril risk threat
safe secure protected
gift present donation
prize award medal trophy
fire blaze flames
storm gale hurricane tempest
flood deluge
contract agreement deal treaty
meeting session conference assembly
boring dull tedious
funny amusing comic hilarious
tasty delicious savoury
rude impolite insolent
polite courteous civil
honest truthful sincere
fraud deceit swindle scam
""".strip().split("\n")]
