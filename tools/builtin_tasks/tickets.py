"""Support tickets in six classes, written by hand: those of the training file and those held out.

A ticket seldom holds the name of its class, and words such as `order`, `account` or `page` stand in several classes. {i}
is a number of an order or invoice, {d} a day, {n} a number, {s} a product; each split has its own.
"""

CLASSES = ("billing", "shipping", "login", "bug", "feature", "cancel")

TRAIN = {
    "billing": """
You took {n} dollars from my card twice this month.
Where do I find a receipt for order {i}?
The sum on invoice {i} is higher than the price you quoted.
My bank says that your last charge was refused, what now?
I still have not got my money back for order {i}.
Can I pay by bank transfer in place of a credit card?
Why was sales tax added although we are a charity?
Our accountant needs a corrected bill for last {d}.
The voucher took nothing off the total.
I was promised a refund of {n} dollars on {d}, and nothing came.
Please explain the extra fee of {n} dollars on my statement.
Could you put our tax number on invoice {i}?
You are still charging us for {n} seats, but we use fewer.
My credit card expired, how do I enter the new one?
The yearly price was debited although I pay monthly.
Which day of the month do you collect the payment?
Is the deposit for order {i} deducted from the final amount?
""",
    "shipping": """
My parcel should have been here on {d}.
The courier says the address on order {i} does not exist.
Half of the boxes of order {i} are missing.
Can you send order {i} to my office?
The tracking page has not moved for {n} days.
The {s} came with a cracked lid.
Do you deliver to islands?
I got somebody else's package.
When does order {i} leave your warehouse?
The driver left my parcel at a neighbour who is on holiday.
Could order {i} arrive before {d}?
Customs is holding my package and wants papers.
How much longer does the {s} need to get here?
The carton was soaked and torn open.
Nobody rang, yet the card in the letterbox says I was out.
Please hold back the delivery until {d}.
You sent the {s} in green, I ordered it in white.
""",
    "login": """
I forgot my password and the reset mail does not come.
It says that my account is locked after {n} tries.
The code from my phone is refused every time.
I changed my phone and can no longer sign in.
How do I set a new password?
My user name is not recognised since {d}.
The confirmation link has expired before I could click it.
A colleague left and nobody has her password for the account.
I am asked for a code, but I never turned that on.
Somebody from another country got into my account.
I signed up with a wrong mail address and cannot get in.
Please unlock the account of our intern.
The site keeps throwing me back to the sign-in form.
Can two people share one password?
My fingerprint no longer opens the app.
I no longer have access to the mail address that I registered with.
""",
    "bug": """
The app closes by itself when I open the calendar.
The export button does nothing since the update on {d}.
All dates in the report are off by one day.
I see error {n} whenever I save a drawing.
The search finds nothing, even for words that are there.
After the update the sound of the {s} is gone.
Photos are turned upside down after uploading.
The page stays white in my browser.
Totals in the table are wrong when I sort by name.
The {s} freezes after {n} minutes and must be restarted.
Scrolling makes the text flicker.
Printing gives me empty sheets.
Special letters become question marks in the file.
My notes from {d} have vanished from the list.
The clock in the app runs an hour late.
The {s} no longer connects to the network.
The map shows every shop in the sea.
""",
    "feature": """
It would be nice to have a dark theme.
Could you add a button to copy a whole week?
I wish the {s} could speak French.
Please let us sort the list by size.
Have you thought of a version for tablets?
A reminder by mail on {d} would help us.
I would love to see keyboard shortcuts.
We need a way to give guests read-only rights.
My suggestion: show the total at the top.
Will there ever be support for spreadsheets?
Why not allow more than {n} pictures per album?
An option to hide old entries would be great.
Can you make the {s} work without a network some day?
Our team misses a shared calendar.
It should be possible to undo the last step.
Please consider larger letters for older people.
""",
    "cancel": """
Please end my subscription on {d}.
I no longer need the {s}, close my contract.
How do I get out of the yearly plan?
Stop order {i}, I have changed my mind.
We are moving to another provider at the end of the month.
Delete my account and all that is in it.
I do not want the trial to go on after {d}.
What notice must I give to leave?
Please do not renew our plan.
Kindly confirm that our membership ends on {d}.
I ordered the {s} by mistake, please withdraw it.
We are shutting our office, so we will not go on with you.
My father died, please end his contract.
Take order {i} back off the list, we bought elsewhere.
I want to quit, your service is not for me.
Remove us from the plan as of {d}.
""",
}

HELD_OUT = {
    "billing": """
There is a double booking of {n} euros on my account statement.
I was overcharged for the {s}.
The discount you advertised is missing from bill {i}.
Could you mail me a copy of last year's invoices?
My payment for {i} bounced, can I try again?
We were invoiced for {n} users and have half as many.
Who do I ask about reimbursement for the returned {s}?
You still owe me {n} euros.
Do you accept cheques?
The price went up without any warning, please explain.
Our finance department wants the VAT shown on its own line.
A payment reminder arrived although I settled {i} on {d}.
Am I billed per month or per year?
The amount withdrawn on {d} does not match my receipt.
Your system rejects my debit card.
I was told there would be no set-up cost, yet {i} shows one.
Can the costs be split over two cards?
How long until the credit of {n} euros shows up?
""",
    "shipping": """
My package has been stuck in a depot since {d}.
Nothing has been delivered, although it is marked as handed over.
I moved house, please redirect {i} to my new street.
One of the three cartons never reached us.
The {s} arrived smashed to pieces.
Which carrier brings {i}?
I received a {s} that I never bought.
Is express dispatch possible to Norway?
The postman could not find our entrance.
The number you gave me for following the parcel is invalid.
What time on {d} will the van be here?
The wrapping was ripped and the {s} had dents.
Your driver threw the parcel over the fence.
Could you post the spare part by airmail?
The wrong size was in the box.
Our goods have been at the border for {n} days.
Can I pick up {i} at your store?
The shipment is late again, our shelves are empty.
""",
    "login": """
My password is rejected though I typed it correctly.
I am locked out of my profile.
No text message with the security code reaches me.
Two-step verification fails on my new phone.
The site claims that my email is unknown.
How can I recover my credentials?
I get thrown out {n} seconds after entering my PIN.
The link for choosing a new password leads nowhere.
Our former admin took the access data with him.
I suspect that a stranger is using my profile.
My username was misspelled when I registered.
The captcha never accepts my answer, so I cannot enter.
Signing in with my company address is refused since {d}.
Please reset the authenticator of our assistant.
I am unable to authenticate on my tablet.
Which of my mail addresses did I use to register?
The system tells me that my session is forbidden.
Could you give my deputy access to our profile?
""",
    "bug": """
The program crashes as soon as I press print.
Since version {n} every chart is blank.
Typing an umlaut makes the editor hang.
The sum in column four is calculated incorrectly.
I keep getting a message about an unexpected exception.
Pictures load halfway and then stop.
The {s} restarts in the middle of a call.
Dragging a file onto the window has no effect.
The menu covers the text on small screens.
Half of my contacts disappeared after synchronising.
The timer counts backwards.
The {s} displays {n} degrees while it is freezing outside.
Clicking on help opens a page that is not found.
The video stutters and the voices lag behind.
Saving takes {n} minutes and then fails.
The filter ignores everything I choose.
The {s} beeps all night for no reason.
Reports from {d} contain the numbers of another customer.
""",
    "feature": """
A night mode would be easier on the eyes.
I would appreciate an integration with our chat program.
Could the {s} get a bigger display?
Please offer the interface in Spanish, too.
It would save us hours if several rows could be edited at once.
Any plans for a desktop edition?
Maybe you could introduce folders for bookmarks.
An alarm when stock runs low would be wonderful.
We would like to choose our own colours.
How about letting us attach {n} files in place of one?
I hope that you will bring back the compact view.
My idea is a weekly summary on {d}.
Would you think about an interface for programmers?
It is a pity that the {s} has no handle.
Being able to pin messages would be useful.
You should let people vote on answers.
Do you intend to support voice input?
An import from other tools is what we lack most.
""",
    "cancel": """
I would like to terminate my agreement by {d}.
We have decided against the {s}, please call it off.
Discontinue my plan, I hardly ever use it.
Is it possible to step back from the purchase of {i}?
Wipe my data and shut down my profile.
Do not extend our licence beyond {d}.
We are switching to a competitor next quarter.
How can I unsubscribe for good?
Please treat this letter as notice of termination.
Annul {i}, the customer jumped off.
I am leaving the country and have no more use for your service.
Our club is dissolving, so we give up the membership.
Let my free period run out, I will not stay.
I am done with your product, end it today.
Revoke the purchase of the {s}, I found a cheaper one.
Drop us from your list of subscribers after {d}.
When is the earliest date on which I can leave?
Please stop everything, we do not want to continue.
""",
}

SLOTS = {
    "train": {
        "i": "A-1042 A-2210 A-3387 A-4871 A-5096 A-6613 A-7704 A-8159".split(),
        "d": "Monday Tuesday Thursday 3_March 14_June 22_May".split(),
        "n": "2 4 5 15 30 45 60 99".split(),
        "s": "Aeropress_Mini Lumos_lamp Trailhead_tent Kestrel_drone Bolero_speaker Nimbus_heater".split(),
    },
    "held_out": {
        "i": "KD/77318 KD/50926 KD/23865 KD/91747 KD/68530 KD/36981".split(),
        "d": "Wednesday Friday Saturday 9_August 27_October 18_November".split(),
        "n": "7 8 13 26 37 71 83 366".split(),
        "s": "Vectra_scale Moonpetal_clock Ridgeback_bag Octavia_mixer Glint_camera Zephyr_fan".split(),
    },
}
