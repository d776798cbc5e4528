# What people are written, in English. Each message has a subject, a first sentence
# (`lead`), advice (`note`) and the short form of a text message (`sms`).

sign_in_code =
    .subject = Your code to sign in to { $app }
    .lead = Use this code to sign in to { $app }.
    .note = If you did not ask for it, you need not do anything. Give this code to nobody; { $app } never asks for it by phone or message.
    .sms = { $code } is your code to sign in to { $app }. Give it to nobody.
sign_up_code =
    .subject = Your code to join { $app }
    .lead = Use this code to finish signing up for { $app }.
    .note = If you did not sign up, you need not do anything: without this code nothing happens.
    .sms = { $code } is your code to sign up for { $app }.
recovery_code_mail =
    .subject = Your code to recover your account at { $app }
    .lead = Use this code to get back into your account at { $app }.
    .note = If you did not ask for it, do not use it and give it to nobody. Your account stays as it is.
    .sms = { $code } recovers your account at { $app }. Give it to nobody.
verify_address =
    .subject = Confirm your address for { $app }
    .lead = Please confirm that this address is yours, so that { $app } can reach you.
    .note = If you have nothing to do with { $app }, you need not do anything.
    .sms = { $app }: please confirm this number.
sign_in_link =
    .subject = Sign in to { $app }
    .lead = Open this link to sign in to { $app }.
    .note = If you did not ask for it, do not open it. Pass the link on to nobody.
    .sms = Sign in to { $app }: { $link }
address_changed_notice =
    .subject = Your address at { $app } was changed
    .lead = The address of your account at { $app } was changed. Messages go to the new address from now on.
    .note = If that was not you, contact the support of { $app } at once.
    .sms = The address of your account at { $app } was changed. Not you? Contact support at once.
new_sign_in =
    .subject = New sign-in to { $app }
    .lead = Your account at { $app } was signed in to from a new device or place.
    .note = If that was you, you need not do anything. Otherwise change your password and end the session.
    .sms = New sign-in to { $app } at { $when }. Not you? Change your password.
password_changed =
    .subject = Your password at { $app } was changed
    .lead = The password of your account at { $app } was changed.
    .note = If that was not you, recover your account at once.
    .sms = Your password at { $app } was changed at { $when }. Not you? Recover your account at once.
account_protected =
    .subject = We have protected your account at { $app }
    .lead = There were suspicious attempts to get into your account at { $app }, so we have protected it.
    .note = Choose a new password that you use nowhere else.
    .sms = { $app } has protected your account after suspicious attempts. Please choose a new password.
support_recovery =
    .subject = A recovery of your account at { $app } has begun
    .lead = The support of { $app } has begun to recover your account on request. It can be finished from the time below on.
    .note = If you did not ask for it, object now: until then nothing changes.
    .sms = { $app }: a recovery of your account was asked for and can be finished from { $when }. Not you? Object now.
no_account =
    .subject = No account with this address at { $app }
    .lead = Someone, perhaps you, wanted to sign in to { $app } with this address, but no account has it.
    .note = If it was you, try another address or sign up. Otherwise you need do nothing.
    .sms = { $app }: no account has this number. Sign up, or use another one.

valid = { $minutes ->
    [one] Valid for one minute.
   *[other] Valid for { $minutes } minutes.
}
open = Continue
link_is = Or copy this address into your browser:
when_is = Time
device_is = Device
place_is = Place
closing = { $app } sent this message by itself. Answers are not read unless it says otherwise.
