"""The merchants' addresses of WhatsApp campaigns."""

from __future__ import annotations

from django.urls import path

from campaigns.pages import actions, broadcast, customers, people, review, starting, template_actions, templates, wizard

ONE = "campaigns/wa_<row:pk>"
TEMPLATE = "templates/<row:pk>"

urlpatterns = [
    path("campaigns/new", starting.New.as_view(), name="page-new-campaign"),
    path(ONE, broadcast.BroadcastPage.as_view(), name="page-broadcast"),
    path(f"{ONE}/live", broadcast.BroadcastLive.as_view(), name="page-broadcast-live"),
    path(f"{ONE}/people", broadcast.People.as_view(), name="page-broadcast-people"),
    path(f"{ONE}/export", broadcast.Export.as_view(), name="page-broadcast-export"),
    path(f"{ONE}/people/<row:message>", people.PersonOfBroadcast.as_view(), name="page-broadcast-person"),
    path(f"{ONE}/confirm/<slug:action>", actions.Confirm.as_view(), name="page-broadcast-confirm"),
    path(f"{ONE}/edit/audience", wizard.Audience.as_view(), name="page-audience"),
    path(f"{ONE}/edit/template", wizard.Template.as_view(), name="page-template-step"),
    path(f"{ONE}/edit/personalise", wizard.Personalise.as_view(), name="page-personalise"),
    path(f"{ONE}/edit/preview", wizard.PersonalisePreview.as_view(), name="page-personalise-preview"),
    path(f"{ONE}/edit/review", review.Review.as_view(), name="page-review"),
    path(f"{ONE}/edit/test", review.TestSend.as_view(), name="page-test-send"),
    path(f"{ONE}/edit/decide", review.Decide.as_view(), name="page-decide"),
    path("people", people.People.as_view(), name="page-people"),
    path("people/<row:pk>", people.Person.as_view(), name="page-person"),
    path("people/customers", customers.Customers.as_view(), name="page-customers"),
    path("people/<slug:customer_id>", customers.OneCustomer.as_view(), name="page-customer"),
    path("templates", templates.Library.as_view(), name="page-templates"),
    path("templates/new", templates.NewTemplate.as_view(), name="page-new-template"),
    path("templates/preview", templates.TemplatePreview.as_view(), name="page-template-preview"),
    path("templates/defaults", templates.StartFrom.as_view(), name="page-template-defaults"),
    path(TEMPLATE, templates.TemplatePage.as_view(), name="page-template"),
    path(f"{TEMPLATE}/confirm/<slug:action>", template_actions.ConfirmTemplate.as_view(), name="page-template-confirm"),
    path(f"{TEMPLATE}/people", template_actions.TemplatePeople.as_view(), name="page-template-people"),
    path(f"{TEMPLATE}/people/<row:lead>/remove", template_actions.RemoveLead.as_view(), name="page-remove-lead"),
    path("jobs/<slug:public_id>", template_actions.JobPage.as_view(), name="page-job"),
    path("jobs/<slug:public_id>/live", template_actions.JobLive.as_view(), name="page-job-live"),
    path("jobs/<slug:public_id>/errors", template_actions.JobErrors.as_view(), name="page-job-errors"),
]
