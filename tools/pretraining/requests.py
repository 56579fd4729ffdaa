"""What customers write, by what they want: classes with many names, and sentences with alternatives for each."""

from .spin import lines

# class: (its names, the sentences)
REQUESTS = {
    "payment": ("billing, payments, payment, invoices, finance, accounting, charges, money", lines("""
{I was|we were|you have} {charged|billed|invoiced} {twice|two times|three times|again} for {order|invoice|booking|} $id.
{Why|For what reason|Please tell me why} {was|did you take|were} $sum {taken|debited|deducted|} from my {card|bank account|credit card|account}?
The {amount|total|sum|price|figure} on {the|my|your last|this month's} {invoice|bill|statement|receipt} {is wrong|is too high|looks off|does not add up|differs from the quote|is not what we agreed}.
{I need|Could I have|Please send me|May I get|Where can I download} {a copy of|the|a corrected|a new|last month's} {invoice|receipt|bill|statement} {for $month|for $id|for our books|for my tax return|}.
My {card|credit card|debit card|payment} {was declined|was refused|did not go through|failed|keeps being rejected|was turned down} {when I tried to pay|at checkout|on $day|}.
{How|Can I|Where do I|I want to} {change|update|replace|switch} {my|the} {payment method|credit card|bank details|card number|way of paying}?
{The|My} {coupon|discount|voucher|promo code|rebate|gift card} {was not applied|is missing from the bill|did not work|was ignored|gave me nothing off|had expired}.
{The|Our} {monthly|yearly|annual} {fee|rate|price|charge} {went up|has risen|was increased|doubled} {without notice|to $sum|since $month|}.
{Do you take|Can I pay with|Do you accept|Is it possible to pay by} {cash|a bank transfer|a cheque|instalments|a wire transfer|a prepaid card|PayPal}?
{I paid|I have paid|We transferred} $sum {on $day|last week|in advance|}, {but|yet} {the bill is still open|I got a reminder|it says unpaid|you ask for more|the balance is unchanged}.
{There is|I see|My statement shows} {an unknown charge|a strange debit|an extra fee|a late fee|a second payment|interest} of $sum.
{Please add|Can you put|The bill lacks} our {VAT number|tax number|company name|purchase number|address} {on|to} {the|every|invoice $id} {invoice|bill|}.
{When|On which day} {is the next payment due|do you collect the fee|will my card be charged|is the rent debited}?
{Tax|Sales tax|VAT|A service fee} was {added|charged|included} {twice|although we are exempt|by mistake|on $id}.
{Our accountant|The bookkeeper|My boss|The auditor} {asks for|wants|needs} {all receipts|the yearly statement|proof of payment|an itemised bill}.
{How much|What} {do I still owe|is my balance|is left to pay}?
""")),
    "refund": ("refund, refunds, money back, reimbursement", lines("""
{I want|I would like|Please give me|I demand|I am asking for} {my money back|a refund|a full refund|to be repaid|to be reimbursed|compensation} {for|because of} the {broken |faulty ||lost }$thing.
{When|How soon|By when} {will I get|do I receive|will you send|can I expect} {my refund|the money back|my $sum back|the repayment|my deposit}?
{You promised|I was promised|Your colleague promised} {a refund|to pay me back|my money back|a credit of $sum} {on $day|$n days ago|weeks ago|}, {but nothing came|where is it|and I am still waiting|and I see no sign of it}.
I {sent back|returned|gave back} the $thing {on $day|last week|} {and|but} {have not been repaid|got no money|await the refund|only got half back}.
{Is|Are} {the ticket|the fee|the deposit|this purchase|unused months} {refundable|paid back if I do not go}?
{Please return|Kindly transfer|Pay back|Credit} {the amount|$sum|the difference|what I paid} to {my account|my card|the bank account below}.
The {concert|flight|course|match|tour|show} was {cancelled|called off|moved}, {how do I get my money back|so please refund me|do I get a refund}?
""")),
    "delivery": ("shipping, delivery, logistics, deliveries, parcels, dispatch, transport, shipment", lines("""
{My|The|Our} {parcel|package|order|delivery|shipment|box|letter} {has not arrived|never came|is late|is overdue|did not turn up|is still on its way|has been lost|went missing} {yet|so far|again|}.
{Where|Do you know where} is {my|our|the} {parcel|package|order $id|shipment|delivery|$thing} {now|at the moment|}?
{The|Your} {courier|driver|postman|delivery man|carrier|messenger} {left the box in the rain|did not ring|went to the wrong house|never came|threw the parcel over the gate|was rude|gave it to a stranger}.
{The|My} {package|parcel|box|carton|crate} {was damaged|came open|arrived crushed|was wet|had a hole|was torn|was squashed} {when it came|on arrival|on delivery|}.
{You sent|I received|I got|The box held|They delivered} {the wrong $thing|a $thing in place of a $thing|the wrong size|the wrong color|only half of it|somebody else's order|an empty box}.
{One|Two|Three|Half} of {the|my|our} {items|boxes|parcels|goods|parts} {is missing|are missing|did not come|never reached us|was left out}.
{Can you|Could you|Please} {deliver|send|ship|bring|forward} {it|order $id|the $thing|everything} {to another address|to my office|to my neighbour|on $weekday|in the evening|before $date|by express}?
{How long|How many days} {does|will} {delivery|shipping|the transport|the post} {to $city|to $country|} take?
{The|My} {tracking|tracking number|tracking link|tracking page} {does not work|shows nothing|has not changed for $n days|says unknown|is invalid}.
{Do you|Can you} {ship|deliver|send goods} {abroad|to $country|to islands|overseas|on weekends|to a post box}?
{The|My} {delivery|shipping} address {is wrong|has changed|is incomplete|lacks the house number}, {please correct it|what can I do|can you change it}.
{When|On what day|At what time} {will|does} {the truck|order $id|my $thing|the van|the furniture} {arrive|get here|leave the warehouse|come|be shipped}?
{Customs|The customs office|The border} {holds|has kept|opened|sent back} {my parcel|the goods|our shipment}.
{I was not at home|Nobody was in|We were away} {on $day|when you came}, {where can I collect it|please come again|can you try again}.
{I moved|We have moved|I am moving} {house|to $city|}, {so please send the $thing there|where will my order go|the box must go to the new place}.
{Which carrier|Which post service|Who} {brings|transports|handles} {order $id|the pallets|my package}?
""")),
    "returns": ("returns, return, exchange, send back", lines("""
{I want to|How do I|Can I|I would like to} {return|send back|give back|exchange|swap} the $thing {, it does not fit|, it is too small|, I do not like it|for another color|within $n days|}.
{Please send me|I need|Where do I find} {a return label|a return form|the address for returns}.
{The|This} $thing {does not fit|is the wrong size|is not what I expected|looks different from the picture}, {can I exchange it|I want to send it back|how can I return it}.
{Is there|What is} {a deadline|the time limit|a cost} for {returns|sending things back|an exchange}?
{Do I|Must I} {pay for|need the box for|keep the label for} {the return|sending it back}?
""")),
    "access": ("login, access, sign-in, log in, password, authentication, log-in", lines("""
{I|I have|My son|My wife} {forgot|lost|cannot remember|mislaid} {my|the|our} {password|pass phrase|PIN|login|user name|username|passcode}.
{I|We|My users|My colleague} {cannot|can't|am unable to|can no longer|could not} {log in|sign in|get in|log on|get into my account|enter the site|reach my profile} {since $day|any more|with my new phone||from home}.
{My|Our|Her} {account|user|profile|access|login} {is|was|has been} {locked|blocked|suspended|disabled|frozen} {after $n attempts|for no reason|since $day|}.
{The|Your} {verification code|code|security code|text message|one-time code|authenticator|token} {never arrives|does not come|is refused|is always wrong|has expired|is not accepted}.
{Please|Can you|Could you} {reset|change|renew|restore|unlock} {my|our|the} {password|PIN|login|account|access|two-factor key}.
{It says|The site says|I am told|The form claims} {wrong password|that my password is wrong|user unknown|that my email does not exist|access denied|not authorised|that I have no permission}.
{The|Your} {reset|activation|confirmation|magic} {link|mail|email} {has expired|does not work|never reached me|goes nowhere|is broken}.
{Someone|Somebody|A stranger|A hacker} {else |}{has logged in as me|knows my password|broke into my account|took over my profile|is in my account}.
{I no longer have|I lost|I have changed} {my phone|my old number|that mail address|my token}, {so I cannot confirm my identity|how can I log in|and the code goes there}.
{The|Your} {face|finger|fingerprint} {scan|recognition|sensor|} {does not|no longer} {lets me in|unlock the app|recognise me}.
{How do I|Where can I|Is there a way to} {choose a new password|set up two-step login|recover my user name|get back into my account|register a second phone}?
{I|We} {get|am|are} {logged out|thrown out|signed out} {all the time|after $n minutes|again and again|at once}.
{Our|The} {new employee|trainee|secretary|former boss} {needs|has lost|still has} {a password|access|a login} {to the system|}.
{I registered|I signed up} {with a typo|under my old name|with the wrong email}, {and cannot log in|now what}.
""")),
    "account": ("account, profile, account settings, my data, user data", lines("""
{Please|Can you|I want to|How do I} {change|update|correct|edit} {my|the} {email address|phone number|name|address|profile picture|user name|date of birth|language} {to $email|in my profile|}.
{I|We} {got married|moved|changed our name|have a new phone}, {please update my data|how do I change it in my profile}.
{How|Where} {can I|do I} {add|invite|remove|delete} {a user|a colleague|$first|a second address|a team member} {to|from} {our account|the team}?
{Can I|May I|Is it possible to} {have two accounts|merge two accounts|move my profile to another address|make my profile private}?
{Which|What} {data|details} {do you|does the site} {store|keep|know} about me?
""")),
    "defect": ("bug, bugs, technical, defect, technical problem, error, malfunction, software error, technical issue, fault", lines("""
{The|Your} {app|program|software|website|page|game|editor|browser plugin|tool} {crashes|freezes|hangs|stops|closes|shuts down|dies} {when I|every time I|as soon as I|whenever I} {open it|save|press the button|scroll|click on help|type fast|print|upload a photo|change the language}.
{I|We|My users} {get|see|receive|keep getting} {an error|error $id|error $n|a strange message|a blank page|a white screen|an exception|a warning} {when I|every time we|after we|as I} {upload a file|save|log the hours|export|open the report|print|search|click submit}.
{The|My} {export|search|save|print|upload|menu|back|submit|play|share} {button|function|field} {does nothing|is broken|has no effect|stopped working|is gone|reacts to nothing|is grey}.
{Since|After} {the update|the last update|version $version|the upgrade|$day} {nothing works|the sound is gone|the screen stays black|everything is slow|the pictures are missing|my notes are empty|the fan never stops}.
{The|All|My} {numbers|totals|dates|names|results|columns|hours} {in the table|in the report|on the page|} {are wrong|are mixed up|do not add up|are shown twice|are off by one|have vanished|are in the wrong order}.
{The|My} $thing {does not work|stopped working|makes a loud noise|gets too hot|will not turn on|switches itself off|blinks red|is dead|smells of smoke|leaks|has no signal|does not charge}.
{The|Your} {page|site|server|video|map|list|image} {does not load|loads forever|is down|stays blank|flickers|jumps|is not found|times out}.
{My|All my} {files|photos|notes|contacts|messages|settings|drafts} {disappeared|are gone|were deleted|have vanished|are lost|cannot be opened} {after the update|since $day|}.
{Letters|Accents|Pictures|Icons|Commas|Fonts} {are shown as boxes|turn into question marks|are upside down|overlap|are cut off|look blurred}.
{Sync|Synchronising|The connection|Bluetooth|The wireless|The import} {fails|breaks off|stopped|is stuck at $n percent|does not find my $thing|never ends}.
{The|My} {calculation|counter|clock|timer|calendar|filter|sort order} {is wrong|runs backwards|shows the wrong day|ignores my choice|is off by an hour|gives nonsense}.
{Typing|Clicking|Scrolling|Dragging|Zooming|Saving} {is terribly slow|does nothing|makes it crash|takes minutes|moves the wrong thing|has no effect}.
{It|The system|The machine} {restarts|reboots|turns off|beeps|stutters|jams} {by itself|in the middle of a call|all the time|every $n minutes|without reason}.
{The|This} {link|picture|form|pop-up|window} {is broken|covers the text|opens twice|cannot be closed|leads to a missing page|is empty}.
""")),
    "wish": ("feature, feature request, suggestion, idea, wish, suggestions, improvement, proposal, ideas", lines("""
{It would be|It'd be} {nice|great|good|lovely|handy|helpful|useful} {to have|if you had|if there were|to get} {a dark mode|a calendar view|a bigger font|more colors|an undo button|keyboard shortcuts|a search box|offline maps|a widget|a French version}.
{Could|Can|Would} you {add|build|include|introduce|offer|support|consider|think about} {a dark theme|a button to copy all|an export to spreadsheets|support for $lang|a weekly summary|tags|folders|voice control|a tablet version|reminders|an alarm}?
{I wish|We wish|I would love it if} {I could|one could|the app could|your tool could} {sort by date|print the list|undo a step|speak to it|share a folder|choose my own colors|see all in one view|work without internet|use two screens}.
{I suggest|We propose|My idea is|My suggestion is|I'd like to propose} {larger buttons|a shorter menu|a map|an overview page|a quiet mode|a button for guests|to allow more users|to show the total|a comment field}.
{Please|Kindly} {add|allow|support|make it possible to use|bring back|let us have} {more languages|bigger files|custom fields|the old layout|a night mode|a timer|images in notes|several accounts|shortcuts|a print view}.
{Have you thought of|How about|What about|Why not offer|Any plans for} {a desktop version|a mobile app|a family plan|an open interface|a plugin for browsers|a dashboard|night colors|a beginner mode}?
{We miss|What I miss is|The only thing missing is|Your product lacks} {a shared calendar|a history|a filter|a way to mark favourites|an option to hide old items|statistics|a handle|a second socket}.
{Will there ever be|Do you plan|Is there going to be} {a version for tablets|an offline mode|support for $lang|a free edition|an update with charts|a $thing in blue}?
{You should|You could|You might} {offer|add|let people choose|show|give us} {a preview|their own theme|a progress bar|the time zone|an archive|a simpler start page}.
{An option|A setting|A switch|A way} to {mute alerts|hide prices|group messages|lock the screen|limit guests|compare two files} would {be great|help a lot|save us hours|be welcome}.
{It should be possible|One should be able|Users ought to be able} to {edit several rows|reply by mail|change the order|pin a message|skip the intro|vote on posts}.
{Being able to|If we could} {edit together|set limits|draw by hand|save drafts|see who is online} {would be|would make it} {a big help|perfect|even better}.
""")),
    "ending": ("cancel, cancellation, termination, cancellations, unsubscribe, leaving, contract end, cancelling", lines("""
{I want|I would like|We want|I'd like|I have decided|We wish} to {cancel|end|terminate|stop|quit|give up|close} {my|our|the} {subscription|contract|membership|plan|account|order $id|policy|trial}.
{Please|Kindly|Can you|Could you} {cancel|end|terminate|stop|close|annul|withdraw} {my subscription|our contract|order $id|the order|my booking|my membership|everything} {by $date|on $weekday|at once|as soon as possible|with immediate effect|}.
{How|Where} {do I|can I} {cancel|unsubscribe|get out of the contract|end the plan|leave|resign|opt out}?
{I|We} {no longer need|do not need|hardly use|never use|have no use for} {the service|your product|the $thing|it|the app} {any more|}, {so please cancel it|please end it|stop the plan}.
{We are|I am} {moving|switching|changing|going over} to {another|a different|a cheaper} {provider|supplier|company|tool}{, so please end our contract| next month| at the end of $month|}.
{Do not|Please do not|Don't} {renew|extend|prolong|continue} {my|our|the} {plan|licence|contract|subscription|membership}.
{What|How long} is {the notice period|the minimum term|the earliest end of the contract}?
{I changed my mind|I ordered by mistake|I found it cheaper elsewhere|My plans have changed}, {please cancel order $id|I do not want the $thing|take back the order|stop the order}.
{This|Please take this} {is|as} {my notice|notice of termination|my resignation as a member|our cancellation}.
{Delete|Erase|Remove|Close} {my account|all my data|our profile|my membership} {for good|please|and confirm it|by $date}.
{We are closing|We have closed|I am giving up} {our shop|the business|the office|the club}, {so we leave|and end the contract|so stop the service}.
{Take me|Remove us|Strike me} off {your list|the mailing list|the subscribers|the plan}.
{My trial|The trial|The free month} {ends on $weekday|is over soon} and I {do not want to go on|will not stay|do not wish to pay|want to stop}.
{My mother|My husband|The owner} {died|has passed away}, {please end the contract|how do I close the account}.
""")),
    "sales": ("sales, pricing, quote, purchase, offers, presales, buying", lines("""
{How much|What} {does|would} {the premium plan|a $thing|a licence for $n users|the big version|it} cost?
{Do you|Can you} {offer|give|have} {a discount|special prices|a rebate|an educational price} {for schools|for $n pieces|for students|for a charity|for teams}?
{I need|We would like|Please send us|Could I get} {a quote|an offer|a price list|a brochure|a catalogue} {for $n $things|for our office|for $n users|}.
{Is there|Do you have} {a free trial|a demo|a sample|a starter plan|a showroom in $city}?
{Which|What} {plan|model|version|edition} {is right|do you recommend|would suit} {for a small firm|for a family|for $n people|us}?
{We are|I am} {interested in|thinking of buying|looking for} {$n $things|your product|the pro version|a $thing}.
{Can I|May I|Where can I} {buy|order|get} {the $thing|a licence|spare parts} {in a shop|in $city|from you|by phone}?
""")),
    "praise": ("praise, compliment, thanks, positive feedback, kudos", lines("""
{Thank you|Thanks|Many thanks|Thanks a lot} for {the quick help|your patience|the lovely $thing|the fast answer|solving it so quickly|the kind letter}!
{I love|We love|My children love|I really like} {the new design|your $thing|the app|the $thing|your service|the update}.
{Your|The} {team|colleague|support|driver|technician} {did a great job|was very kind|was so friendly|is the best|helped me at once|was wonderful}.
{Everything|It all} {went well|was perfect|works like a charm|arrived in time|is fine now}, {thank you|great work|well done|I am happy}.
{Just wanted to say|I must say}: {great work|best service ever|you made my day|I am delighted|keep it up}.
""")),
    "complaint": ("complaint, complaints, dissatisfaction, negative feedback, grievance", lines("""
{I am|We are|My family is} {very |deeply |really |}{disappointed|angry|upset|unhappy|annoyed|shocked} {with|about|by} {your service|the way I was treated|the poor quality|your staff|this $thing}.
{Your|The} {colleague|agent|waiter|driver|technician|staff} {was rude|laughed at me|hung up on me|was no help|ignored me|shouted at us}.
{This is|It is} {a scandal|unacceptable|a disgrace|the worst service ever|a joke|outrageous}, {I will tell everyone|I want to speak to the manager|never again|I expect an apology}.
{I have waited|We waited|I was kept waiting} {for $n hours|for weeks|on the phone for ages} and {nobody cared|nobody answered|got nothing but excuses}.
{The quality|The food|The room|The $thing} {was awful|was dirty|was a disappointment|fell apart|is a shame}, {I am fed up|I complain|this must not happen again}.
""")),
    "appointment": ("appointment, appointments, scheduling, calendar, booking, dates", lines("""
{Can I|Could we|I need to|May I} {move|change|shift|postpone|bring forward} {my|our|the} {appointment|meeting|visit|consultation} {to $weekday|from $weekday to $weekday|to another day|to $time}?
{I would like|I want|Please give me} {an appointment|a date|a slot|a time} {with $name|on $weekday|in the morning|next week|after $time}.
{Is|Are} {$name|the doctor|the engineer|you} {free|available|in} on $weekday {at $time|afternoon|}?
{I am ill|I am late|My train is late|I cannot come on $weekday}, {can we meet later|please find a new date|shall we reschedule}.
{When|At what time} {is my|does the} {appointment|meeting|check-up|interview} {on $weekday|begin|}?
""")),
    "job": ("jobs, careers, applications, recruiting, job, human resources, hiring", lines("""
{I want to|I would like to|Can I|How do I} {apply|send an application} {for the post of $job|as a $job|for a job|for an internship}?
{Are you|Is your company} {hiring|looking for a $job|taking apprentices|recruiting}?
{Please find|I enclose|Attached is} {my CV|my application|my certificates|my letter}, {I hope to hear from you|I have worked as a $job for $n years|}.
{What|How high} is the {salary|pay|wage} {of a $job|for this post|}?
{When|How} {will you|do you} {decide about|answer} {my application|the candidates}?
""")),
    "press": ("press, media, journalists, press office, public relations", lines("""
{I am|I write as} {a journalist|a reporter|an editor|a blogger} {with $company|from $city|for a newspaper} and {have some questions|want an interview|need a photo of $name|ask for a statement}.
{May we|Can our paper|Could I} {quote|interview|film|photograph} {your director|$name|your factory|the launch}?
{When|Where} {is|will} {the press conference|the statement|the media kit} {be published|}?
{Please send|We need} {a press photo|a comment|a high resolution logo} {for our article|by $time|}.
""")),
    "security": ("security, abuse, fraud, safety, phishing", lines("""
{I got|I received|There is} {a strange mail|a fake invoice|a phishing message|a suspicious call} {in your name|from $email|that asks for my password|}.
{I found|We found|There is} {a hole in your system|a leak|a weakness|stolen data|a virus} {on your server|on $url|in version $version|}.
{Someone|Somebody} {uses my card|pretends to be me|sells fake $things|sends spam from your server|stole my data}.
{Is|Was} {my data|our database|the site} {safe|stolen|hacked|encrypted}?
{Please report|I want to report} {a scam|fraud|an impostor|abuse} {by $name|at $url|}.
""")),
    "hardware": ("hardware, repair, repairs, warranty, devices, workshop, spare parts", lines("""
{The|My} {screen|hinge|fan|battery|keyboard|lens|motor|wheel|plug|cable} of my $thing {is broken|is cracked|is worn out|rattles|came off|snapped|is loose}.
{Can you|Could you|Where can I have it|Do you} {repair|fix|mend|service} {it|the $thing|a broken $thing|my old $thing}?
{Is|Does} {the repair|this|a cracked $thing} {covered by the warranty|still under guarantee|free of charge}?
{I need|Where do I get|Do you sell} {a spare part|a new battery|a replacement $thing|screws|a filter|a charger} for {my|the} $product?
{My|Our} $thing {fell down|got wet|burned out|was dropped}, {can it be saved|what does a repair cost|is there a workshop in $city}?
""")),
    "question": ("question, how-to, information, help, usage, general question, instructions", lines("""
{How|Where} {do I|can I|does one} {start|use|clean|set up|install|connect|open|find|charge} {the $thing|it|the manual|your app|the settings|the timer}?
{What|Which} {does this sign mean|size do I need|is the difference between the two|battery does the $thing take|are your opening hours}?
{Is|Are} {your shop|the office|the hotline} {open|closed} {on $weekday|today|in $month}?
{Can|May} {children|I|dogs} {use it|come in|enter the park|use the $thing outdoors}?
{Who|Where} is {the right person to ask|your office in $city|the entrance|the manual for the $thing}?
{Does|Will} the $thing {work abroad|fit my $thing|need batteries|come with a cable}?
""")),
    "legal": ("legal, contracts, law, privacy, data protection", lines("""
{Please|Kindly|We ask you to} {sign|review|return|check} {the contract|the agreement|the terms|the attached contract|clause $n} {by $date|}.
{Our|My} {lawyer|solicitor|attorney} {will write to you|demands an answer|needs the contract|checks the terms}.
{What|Which} {law applies|court is responsible|does clause $n mean|are your terms}?
{Where|How long} {do you store|do you keep} {my personal data|our files}, {and is it allowed|and who reads them|}?
{You use|You copied|Your site shows} {my photo|our logo|my text} without {permission|a licence}, {take it down|we will sue|}.
""")),
}


def plural(text):
    """`$things` in a line is the plural of a thing."""
    return text.replace("$things", "$thing items")


for name, (labels, sentences) in REQUESTS.items():
    REQUESTS[name] = (labels.split(", "), [plural(sentence) for sentence in sentences])

OPENINGS = ["Hello, ", "Hi, ", "Hi! ", "Dear team, ", "Good morning, ", "Hello there, ", "Hey, ", "To whom it may concern: ", "Greetings, ", "Dear Sir or Madam, "]
CLOSINGS = [" Thanks!", " Thank you.", " Regards, $first", " Please help.", " Best wishes, $name", " Many thanks in advance.", " Yours, $first", " It is urgent.", " Order $id", " My number is $id."]
