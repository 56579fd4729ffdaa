"""Good, bad and neutral things that are said and happen: headlines, reviews, remarks and single words."""

from .spin import lines, spin
from .words import _split

GOOD_WORDS = _split("""
success victory win triumph joy delight happiness hope peace love kindness courage freedom health recovery cure rescue reward prize award medal
gift treasure blessing celebration festival party friendship trust honor praise applause laughter smile beauty grace harmony comfort safety
progress growth gain profit boom bonus raise breakthrough miracle bargain improvement solution support help donation charity gratitude
generosity wisdom talent skill genius masterpiece paradise sunshine bloom plenty wealth fortune luck relief pride admiration fun pleasure
brave bold heroic loyal faithful lucky healthy healed safe saved rich golden beloved popular famous celebrated victorious successful
prosperous thriving flourishing blooming healing soothing caring loving gifted talented skilled wise gracious noble sincere helpful useful
valuable precious priceless splendid glorious radiant sunny blissful ecstatic delighted thrilled overjoyed amused relieved content satisfied
triumphant optimistic enthusiastic eager playful tender dear adorable cute handsome pretty exquisite superior ideal supreme best better
win wins won thrive thrives flourish prosper succeed succeeds recover recovers heal heals save saves rescue improve improves grow soar soars
climb rise rises cheer cheers celebrate celebrates praise praises honor thank thanks welcome welcomes donate donates help helps support
rejoice smile laugh shine shines bloom delight delights impress impresses charm charms inspire inspires reward rewards triumph triumphs
""")
BAD_WORDS = _split("""
failure defeat loss disaster catastrophe tragedy crisis war death grief sorrow misery pain hunger famine poverty disease plague illness injury
wound crash accident collapse ruin wreck fire flood storm earthquake drought murder crime theft robbery fraud scandal corruption bribe
lie betrayal hatred anger rage fear panic terror horror despair danger threat risk poison pollution waste debt bankruptcy layoff strike
riot violence attack assault abuse cruelty torture prison punishment fine penalty lawsuit shame guilt blame insult mockery chaos mess
damage decay rot filth stench noise trouble problem mistake error fault defect flaw breakdown delay shortage recession slump decline
sick ill dead dying wounded injured hurt broken ruined wrecked destroyed lost missing stolen poisoned infected contaminated bankrupt
guilty corrupt cruel brutal vicious violent deadly fatal lethal toxic hostile evil wicked vile greedy selfish jealous cowardly
furious enraged outraged frightened terrified desperate lonely miserable mournful tragic bleak dire dreadful hideous ghastly gruesome
hopeless helpless worthless pointless senseless unbearable failed faulty rotten spoiled bad worse worst doomed cursed haunted abandoned
fail fails lose loses collapse collapses crash crashes burn burns destroy destroys kill kills die dies suffer suffers cheat cheats steal
steals lie lies betray betrays hurt hurts injure attack attacks threaten threatens poison poisons ruin ruins wreck wrecks damage damages
spoil break breaks sink sinks fall falls drop drops plunge plunges shrink shrinks slump mourn mourns weep weeps fear fears warn warns
accuse accuses blame blames sue sues jail jails fire fires sack sacks cut cuts close closes cancel cancels reject rejects
""")
PLAIN_WORDS = _split("""
table window street number paper meeting report office schedule list page letter box door wall floor chair stone road map clock calendar
metal wood glass water plate pencil folder index label form size width height color shape corner side middle end begin carry move turn
place stand sit walk go come bring take put hold keep show tell say ask open measure count describe mention contain consist include
annual weekly daily monthly round square flat long short wide upper lower northern southern eastern western local regional federal
""")

_WHO = "{$company|$company|$company|the {town|city|village|council|mayor|school|club|museum|hospital|university|library|zoo|theatre|police|church|port|airport|union} of $city|$name|$first|{a|one} {$job|teacher|driver|student|pupil|widow|couple|tourist|child|boy|girl|team|family|singer|scientist|artist|player|runner|coach|pilot|neighbour} {from|in} $city|{workers|farmers|parents|students|voters|nurses|drivers|fans|doctors|sailors|tenants|customers|investors|police|experts|engineers|villagers|firefighters|teachers|campers|hikers|shoppers|commuters|players} {in|from|near|of} $city}"
_WHAT = "{$company|{bank|bakery|mill|mine|airline|farm|hotel|brewery|factory|shipyard|start-up|retailer|carmaker|steel maker|drug maker} $company}"

GOOD_HEADLINES = lines("""
{WHO} {wins|wins|takes|lands|earns|scoops|receives} {the|a|first|top} {prize|award|medal|title|cup|honour|grant|championship} {for {courage|design|kindness|its bread|best film|science|its garden}|after $n years|}
{WHO} {saves|rescues|finds|frees} {a|the|$n|two} {drowning|lost|missing|trapped|injured|stray|} {boy|girl|dog|children|sailors|family|climber|swimmers|cat|horse|people} {from {river|fire|cave|lake|wreck|ruins}|near $city|}
{WHAT} {posts|reports|books|celebrates} {a record|a healthy|a surprise|a strong|its best|a handsome|a rising} {profit|result|year|quarter|gain|summer}
{WHAT} {raises|lifts|doubles|increases} {wages|pay|dividend|its forecast|profit|sales|its output|bonus for workers} {by $n percent|after strong year|again|}
{WHAT} {creates|adds|promises|brings} $n {new |}{jobs|posts|apprenticeships|places} {in|to} $city
{Shares|Stock|Profit|Sales|Revenue|Exports|Earnings|Turnover} of $company {soar|jump|climb|surge|rise strongly|leap|rally|grow|hit record} {on good news|after strong demand|to record high|by $n percent|}
{New|Cheap|Simple|Clever|Safe} {drug|vaccine|treatment|method|therapy|test|device} {cures|saves|heals|helps|protects|frees} {patients|thousands|children|$n people|the blind|babies} {in $city|, doctors say|}
{Crowd|Fans|Critics|Readers|Visitors|Guests|Viewers|Children} {love|cheer|adore|praise|applaud|celebrate|enjoy|welcome} {the new|the splendid|the charming|the first|a wonderful} {film|play|park|bridge|show|novel|stadium|exhibition|opera|album|pool|festival} {in $city|by $name|}
{WHO} {celebrates|enjoys|welcomes|rejoices at} {a happy|a peaceful|the best|a joyful|a sunny|a glorious|a sensational} {harvest|festival|season|wedding|reunion|return|victory|birthday|summer}
{Peace|Deal|Agreement|Truce|Ceasefire} {brings|ends|gives} {hope|strike|long war|joy|relief|new life} {to|in} $city
{Unemployment|Crime|Poverty|Hunger|Pollution|Infant mortality|Debt|The number of accidents} in $city {falls|drops|sinks|shrinks|is at its lowest} {to a record low|again|sharply|for $n years|}
{WHO} {recovers|returns home|walks again|is healthy again|is cured|back on her feet} after {long illness|accident|operation|$n months in hospital}
{WHO} {donates|gives|raises} {$sum|$n {books|meals|bicycles|coats|trees}|a fortune} {for|to} {the poor|children|charity|a hospital|schools|refugees|the homeless}
{Beautiful|Rare|Splendid|Lovely|Healthy} {birds|dolphins|orchids|butterflies|wolves|twins|panda cubs|salmon|storks} {return to|born in|thrive in|bloom in|delight} $city
{WHO} {praised|honoured|celebrated|thanked|admired|loved|rewarded} for {bravery|honesty|her kindness|his skill|years of service|great work|generous help}
{Good|Great|Happy|Best|Wonderful|Excellent} {news|result|weather|season|start|year} for {WHO}
{Tourism|Trade|Farming|Business|The film industry|Craft|Music} in $city {booms|thrives|flourishes|blossoms|prospers|recovers|picks up}
{WHO} {beats|defeats|outplays|stuns} {the champion|rivals|$city|favourite|$name} {and reaches final|in style|with ease|to take gold|}
{WHAT} {wins|lands|secures} {huge|big|lucrative|dream|} {order|contract|deal} {worth $money|from $company|}
{Dream|Miracle|Magic|Triumph|Delight|Joy|Luck|Pride|Relief} {for|in|as} {WHO|$city}
""")
BAD_HEADLINES = lines("""
{WHO} {killed|injured|hurt|badly burned|wounded|robbed|attacked|beaten} in {crash|fire|storm|robbery|explosion|avalanche|flood|brawl|accident} {near $city|on motorway|}
{WHAT} {posts|reports|suffers|books|admits} {a heavy|a record|a surprise|a huge|its worst|a widening|a painful} {loss|result|year|quarter|deficit|slump}
{WHAT} {cuts|axes|sheds|slashes} {$n jobs|wages|pay|dividend|its forecast|staff|half of its workforce} {in $city|after weak sales|again|}
{WHAT} {goes bankrupt|is insolvent|collapses|shuts down|faces ruin|files for bankruptcy|closes its doors|is on the brink} {after fraud|with debts of $money|, $n workers lose jobs|}
{Shares|Stock|Profit|Sales|Revenue|Exports|Earnings|Turnover} of $company {plunge|fall|sink|tumble|drop|crash|slump|shrink|hit new low} {on bad news|after profit warning|by $n percent|as demand fades|}
{WHO} {loses|is stripped of|misses|forfeits|gives away} {the|its|all|a sure} {title|home|licence|savings|victory|fortune|sponsor|final|job|leg} {after scandal|in fire|}
{Fire|Flood|Storm|Earthquake|Hurricane|Explosion|Landslide|Tornado|Blaze} {destroys|wrecks|ruins|damages|sweeps away|tears through|devastates} {$n homes|school|church|harvest|village near $city|market|bridge|$city}
{Murder|Theft|Fraud|Crime|Disease|Hunger|Poverty|Violence|Debt|Pollution|Fear} {shocks|spreads in|rises in|haunts|plagues|grips|worsens in|stalks} $city
{WHO} {accused of|charged with|guilty of|jailed for|arrested for|fined for|sued for|suspected of} {fraud|theft|cheating|murder|lying|corruption|bribery|cruelty|tax evasion|negligence|assault|spying|dumping waste}
{Patients|Children|Workers|Passengers|Tenants|Animals|Customers|Families|Refugees|Pensioners} {suffer|die|fall ill|go hungry|wait in vain|freeze|are left homeless|are cheated|are in danger|are trapped} {in $city|after mistake|as aid fails|}
{Angry|Furious|Disappointed|Outraged|Desperate|Worried|Frightened} {fans|parents|workers|customers|tenants|voters|farmers|guests|residents} {protest|complain|boo|demand refund|storm office|walk out|fear the worst} {in $city|against $company|}
{Film|Play|Opera|Concert|Novel|Show|Exhibition|Restaurant|Hotel} in $city {disappoints|is a flop|bores critics|a disaster|panned as dull|fails badly|is a letdown|offends guests|dirty and overpriced}
{WHAT} {recalls|withdraws} {$n|faulty|dangerous|poisoned|defective} {cars|toys|ovens|pills|tins of fish|batteries|prams} {after deaths|over fire risk|because of poison|}
{Deadly|Toxic|Dangerous|Mysterious|Lethal|Rotten} {virus|gas|fever|meat|smoke|chemical|bacteria|mould|water} {in|hits|poisons|spreads through|sickens $n in} $city
{WHO} {mourns|mourn|in grief over|weeps for|fears for|loses hope for} {$n dead|lost sailors|victims|$name|missing children|dead son}
{WHO} {beaten|humiliated|crushed|knocked out|relegated|booed} {by rivals|in final|after poor game|at home|again}
{Bad|Terrible|Worst|Gloomy|Sad|Grim|Shocking|Bitter|Alarming} {news|result|weather|season|start|figures|defeat|warning} for {WHO}
{Chaos|Panic|Misery|Anger|Horror|Shame|Grief|Riots|Violence|Despair|Terror} {in|at|as|after} {$city|airport of $city|trains stop|police fire on crowd|match is abandoned|prices explode}
{Prices|Rents|Taxes|Fares|Debts|Deaths|Fees} {explode|soar out of control|rise again and hurt the poor|out of reach for families|ruin tenants} in $city
{Hackers|Thieves|Vandals|Robbers|Burglars|Pirates} {steal|destroy|loot|cripple|raid|smash|hijack} {$n cars|data of customers|museum in $city|$company|school|graves|ship}
{Drought|Frost|Hail|Locusts|Heat|Mice|Blight} {ruin|ruins|kills|destroys|eats|spoils} {crops|vines|harvest|cattle|wheat} near $city
{Bridge|Roof|Dam|Mine|Tower|Power supply|Peace talks|Rescue|Deal|Merger} {collapses|fails|breaks|falls through|ends in failure|bursts} {near $city|, $n dead|in $city|}
""")
PLAIN_HEADLINES = lines("""
{WHO} {to meet|to discuss|to vote on|to visit|to present|to review|to publish} {the budget|a report|$city|the timetable|the plan|new rules|the list|$company} {on $weekday|in $month|next week}
{WHAT} {moves|relocates|transfers} {its|the} {office|headquarters|archive|warehouse|laboratory|annual meeting} to $city
{WHO} {appoints|names|elects|chooses|hires} {$name|$first} as {secretary|chairman|director|head of sales|member of the board|speaker|editor|treasurer}
{Conference|Exhibition|Congress|Fair|Seminar|Session|Meeting|Course} on {maps|steel|grain|languages|soil|ports|clocks|law|insects|coins} {opens|begins|takes place|to be held} in $city {on $weekday|in $month|}
{Number|Share|Average age|Height|Length|Depth|Area} of {ships|residents|pupils|trees|streets|buses|shops|voters|birds} in $city {is $n|stands at $n|remains at $n|unchanged}
{WHAT} {operates|runs|owns|lists|has|maintains} $n {shops|offices|lorries|hotels|branches|machines} in {$city|$country}
{Trains|Buses|Ferries|Trams|Flights} to $city {leave at $time|run every $n minutes|stop at $city, too|change platform|use the northern line}
{WHO} {signs|renews|extends} {agreement|contract|lease|treaty} with {$company|$city|$name}
{New|Old|Second|Third} {edition|map|road|station|law|timetable|list|rule|form|line|logo} {for|in|of} $city {from $month|published|shown|}
{How|When|Where|Why|What} {the census works|clocks change|the parliament sits|a canal is built|glass is made|to fill in the form|a patent is filed|voters register|the tide turns}
{Value|Date|Terms|Details|Place} of the {deal|contract|meeting|sale|visit|election} {not disclosed|to be announced|set for $month|published on $weekday}
{WHO} {speaks|lectures|writes|talks} {about|on} {the history of $city|rivers|bridges|trade|glass|old maps|the tides|bees|$country}
{Weather|Traffic|Water level|Timetable|Programme|Agenda|Results in numbers} for $weekday: {see page $n|dry|as usual|mostly cloudy|unchanged|to follow}
{WHAT} {changes name to|becomes|merges offices with|supplies parts to|buys paper from|leases trucks from} $company
{Road|Street|Square|Bridge|Station|School} in $city {renamed|to be painted|repaved in $month|named after $name|measured|closed on $weekday for survey}
{WHO} {keeps|confirms|repeats|maintains} {forecast|plan|date|rules|position|opening hours} {for $month|}
{Election|Market|Census|Fair|Hearing|Test|Survey} {in $city|} {set for|moved to|takes place on|begins on} {$weekday|$date}
{Museum|Library|Pool|Zoo|Town hall|Office} in $city {opens at $time|closed on $weekday|has $n rooms|open until $time|moves to new address}
""")


def headline(rng, mood):
    pool = {"positive": GOOD_HEADLINES, "negative": BAD_HEADLINES, "neutral": PLAIN_HEADLINES}[mood]
    return spin(rng, rng.choice(pool).replace("{WHO}", _WHO).replace("{WHO|", "{" + _WHO + "|").replace("{WHAT}", _WHAT))


GOOD_REMARKS = lines("""
{I|We|My family|The kids} {had a great time|enjoyed every minute|laughed a lot|slept like babies|felt at home|would go again tomorrow} {at the hotel|in $city|with this $thing|}.
{What a|Such a} {lovely|charming|brilliant|cosy|fine|splendid|fabulous|marvellous} {place|evening|film|$thing|present|meal|teacher|surprise}!
{This|The} {$thing|soup|novel|hotel|game|course|café} {is worth every cent|beats all others|is a dream|never lets me down|made me smile|is pure joy|is a real find|won me over|gets full marks|is a must}.
{The staff|Our guide|The doctor|The landlady|The driver|The cook} {could not have been nicer|went out of her way to help|had a smile for everyone|knew everything|spoiled us|took time for us}.
{Finally|At last} {a $thing that works|an app without ads|some good service|a film with a heart|a cook who can cook}!
{It is|They are|That was} {better than I hoped|as good as new|simply the best|a pleasure to use|light, fast and quiet|like a warm hug|music to my ears|spot on|second to none}.
{I passed|She passed|We won|He got well|They married|My son was born|I found a job|The sun came out} {today|at last|on $weekday|}, {how wonderful|I could sing|what a day|hooray|}!
{Hats off to|Three cheers for|Well done,|Bravo,|Big thanks to} {$first|the cook|the whole crew|$company|my neighbours}!
The $thing is {sturdy and quiet|easy to clean|well made|so soft|quick to set up|a bargain|gorgeous} and {it looks great|I use it daily|the price is fair|my wife loves it}.
""")
BAD_REMARKS = lines("""
{I|We|My family|The kids} {were bored to tears|felt sick for days|could not sleep for the noise|felt robbed|froze all night|left in anger|want to forget it} {at the hotel|in $city|with this $thing|}.
{What a|Such a} {letdown|rip-off|nightmare|sad affair|dump|flop|disgrace|joke of a $thing|boring evening|useless $thing}!
{This|The} {$thing|soup|novel|hotel|game|course|café} {is not worth a cent|is junk|is a scam|let me down|made me angry|drove me mad|belongs in the bin|ruined my holiday|should be banned|is a waste of money}.
{The staff|Our guide|The doctor|The landlady|The driver|The cook} {could not care less|was drunk|yelled at us|lied to my face|kept us waiting for $n hours|knew nothing|cheated us}.
{Again|Once more} {no hot water|the train was late|it crashed|a hair in the soup|nobody answers the phone|a flat battery|mould on the wall}!
{It is|They are|That was} {worse than I feared|broken again|simply the worst|a pain to use|slow, loud and ugly|far too salty|full of holes|a shame|beyond repair|a bad joke}.
{I failed|She left me|We lost|He fell ill|My dog died|I lost my job|The roof leaks|They robbed us|I broke my arm} {today|again|on $weekday|}, {how awful|I could cry|what a day|I am in tears|}!
{Shame on|Stay away from|Beware of|Never trust|Down with} {$first|this place|the whole crew|$company|that shop}!
The $thing is {flimsy and loud|hard to clean|badly made|full of scratches|missing a part|too dear|hideous} and {it smells|I threw it away|the price is a joke|my wife hates it}.
""")
PLAIN_REMARKS = lines("""
{I|We|My family|The kids} {arrived on $weekday|live near $city|took the bus|stayed for $n nights|sat in the third row|have two keys} .
{The|This} {$thing|soup|novel|hotel|game|course|café} {has $n parts|is made in $country|comes in a box|belongs to $first|is on the second floor|was printed in $month|starts at $time|is next to the station}.
{The staff|Our guide|The doctor|The landlady|The driver|The cook} {works from nine to five|comes from $city|wears a $thing|has an office upstairs|speaks two languages|is called $first}.
{It is|They are|That was} {the fourth one|in the drawer|on the left|about ten metres long|blue and grey|in the afternoon|of wood|sold by weight|closed on $weekday}.
The $thing {weighs $n grams|stands in the hall|has two buttons|is used for paper|was bought in $month|is $n years old} and {it is grey|it came by post|has a plug|the box is brown}.
{On $weekday|In $month|At $time|Every evening|Once a week} {I go to $city|the bus leaves|we have a meeting|he reads the paper|she waters the plants|the shop opens|they count the money}.
{You can|One can|Guests may} {pay at the desk|enter by the side door|turn left at the bridge|choose between tea and coffee|take the lift|read the list on the wall}.
""")


def remark(rng, mood):
    return spin(rng, rng.choice({"positive": GOOD_REMARKS, "negative": BAD_REMARKS, "neutral": PLAIN_REMARKS}[mood]))


def word(rng, mood):
    return rng.choice({"positive": GOOD_WORDS, "negative": BAD_WORDS, "neutral": PLAIN_WORDS}[mood])
