"""Doors as a domain writes them, for the tests of what every door does."""

import time
from typing import ClassVar

from django.core.exceptions import ValidationError
from django.db import IntegrityError, OperationalError, transaction
from django.http import FileResponse
from rest_framework import exceptions, serializers

from accounts.roles import Permission
from campaigns_project import jobs
from campaigns_project.api import (
    BULK,
    CommaListField,
    Door,
    FileDoor,
    FormSerializer,
    IntegerField,
    ListQuery,
    NameField,
    RowsField,
    StrictSerializer,
    listed,
    route,
    routes,
)
from crm.models import Customer


class Shape(serializers.ModelSerializer):
    class Meta:
        model = Customer
        fields = ["id", "first_name", "created_at"]


class TagInput(StrictSerializer):
    label = NameField(max_length=20)


class CustomerInput(StrictSerializer):
    first_name = NameField()
    tags = TagInput(many=True, required=False)


class CustomerQuery(ListQuery):
    first_name = NameField(required=False)
    ids = CommaListField(child=IntegerField(), required=False)


class Customers(Door):
    needs: ClassVar = {"POST": Permission.AUTHOR}
    queries: ClassVar = {"GET": CustomerQuery}
    bodies: ClassVar = {"POST": CustomerInput}
    answers: ClassVar = {"GET": listed(Shape), "POST": (201, Shape)}

    def get(self, request):
        """List."""
        rows = Customer.objects.for_account(self.account)
        if "first_name" in self.params:
            rows = rows.filter(first_name=self.params["first_name"])
        return self.page(rows, shape=Shape, order=("-first_name",))

    def post(self, request):
        """Create."""
        return self.show(
            Customer.objects.create(account=self.account, first_name=self.data["first_name"]), Shape, status=201
        )


class Capped(Door):
    queries: ClassVar = {"GET": ListQuery}

    def get(self, request):
        return self.page(Customer.objects.for_account(self.account), shape=Shape, order=("pk",), counted="capped")


class OneCustomer(Door):
    needs: ClassVar = {"PATCH": Permission.AUTHOR}
    bodies: ClassVar = {"PATCH": CustomerInput}
    editable = True

    def get(self, request, pk):
        return self.show(self.find(Customer.objects.for_account(self.account), pk=pk), Shape)

    def patch(self, request, pk):
        with transaction.atomic():
            customer = self.find(Customer.objects.for_account(self.account).select_for_update(), pk=pk)
            self.unchanged(customer)
            customer.first_name = self.data["first_name"]
            customer.save()
        return self.show(customer, Shape)

    def delete(self, request, pk):
        """Declared, but in nobody's `needs`."""


class Bulk(Door):
    needs: ClassVar = {"POST": Permission.SEND}
    bodies: ClassVar = {"POST": type("RowsInput", (StrictSerializer,), {"rows": RowsField(at_most=2)})}
    max_body = BULK

    def post(self, request):
        return self.accepted(jobs.create("nothing", account=self.account, total=len(self.data["rows"])))


class Upload(FileDoor):
    """Upload.

    For the signed in.
    """

    needs: ClassVar = {"POST": Permission.AUTHOR}
    bodies: ClassVar = {
        "POST": type("UploadInput", (FormSerializer,), {"n": IntegerField(), "file": serializers.FileField()})
    }

    def post(self, request):
        Customer.objects.create(account=self.account, first_name=self.data["file"].read().decode())
        return self.show({"id": self.data["n"], "first_name": "", "created_at": None}, Shape, status=201)


FAILURES = {
    "clean": ValidationError({"phone": ["No phone."]}),
    "said": ValidationError("Nothing fits."),
    "race": IntegrityError("duplicate key"),
    "away": OperationalError("server closed the connection"),
    "bug": ZeroDivisionError("secret detail"),
    "signed-out": exceptions.NotAuthenticated(),
    "drf": exceptions.APIException("secret detail"),
}


class Failing(Door):
    needs: ClassVar = {"POST": Permission.AUTHOR}

    def post(self, request, how):
        """Write a row, then fail."""
        assert self.may(Permission.AUTHOR)
        Customer.objects.create(account=self.account, first_name=how)
        if how == "slow":
            time.sleep(0.5)
        if how == "stream":
            return FileResponse([b"a"])
        if how in FAILURES:
            raise FAILURES[how]
        return self.show(None, Shape)


urlpatterns = routes(
    "api/v1/try",
    route("", Customers),
    route("capped", Capped),
    route("<int:pk>", OneCustomer),
    route("bulk", Bulk),
    route("upload", Upload),
    route("fail/<str:how>", Failing),
)
handler404 = "campaigns_project.api.errors.page_not_found"
